import { z } from 'zod'
import { canonicalJson, GatewayError, isPlainObject, sha256Hex } from '../core/index.ts'
import { CATALOG_LISTS, type CatalogKind } from './catalog-kinds.ts'
import type { Discovery, ToolFacts } from './server-record.ts'
import { toolFactsOf } from './tool-facts.ts'

/** At most this many of each kind: what a snapshot and a client can hold. */
export const MAX_ITEMS_OF_KIND = 2000
/** One definition; D1 rows end at 2 MB. */
const MAX_DEFINITION_BYTES = 256 * 1024
/** What a server says of itself; an index holds it for every server of a tenant. */
const MAX_FACTS_BYTES = 64 * 1024
const MAX_TOTAL_BYTES = 8 * 1024 * 1024
/** Real schemas stay below 20; recursion over a definition has to end somewhere. */
const MAX_DEPTH = 64
const MAX_KEY_CHARS = 2048

/** How many of each kind are served. */
export const DiscoveredCounts = z.strictObject({
  tools: z.number().int(),
  resources: z.number().int(),
  resourceTemplates: z.number().int(),
  prompts: z.number().int(),
})
export type DiscoveredCounts = z.infer<typeof DiscoveredCounts>

export const NOTHING_DISCOVERED: Readonly<DiscoveredCounts> = {
  tools: 0,
  resources: 0,
  resourceTemplates: 0,
  prompts: 0,
}

/** How many there are of each kind. */
export function countKinds(items: readonly { readonly kind: CatalogKind }[]): DiscoveredCounts {
  const counts = { ...NOTHING_DISCOVERED }
  for (const { kind } of items) counts[CATALOG_LISTS[kind].member] += 1
  return counts
}

export interface CatalogItem extends ToolFacts {
  readonly kind: CatalogKind
  /** In the order of the upstream, from 0 in each kind. */
  readonly position: number
  readonly key: string
  /** JSON. */
  readonly definition: string
  /** SHA-256 of the canonical definition. */
  readonly contentHash: string
  /** SHA-256 of a tool's canonical input schema: equal where the same arguments fit. */
  readonly schemaHash: string
  /** Why the item is stored and not served. */
  readonly problem: string | null
}

export interface Catalog {
  readonly items: readonly CatalogItem[]
  readonly counts: DiscoveredCounts
  /** SHA-256 over all items; the upstream's order does not matter. */
  readonly hash: string
}

/**
 * What an upstream offers as it will be stored. Throws `upstream_failed` naming the bound when it
 * offers more than is kept.
 */
export async function buildCatalog(discovery: Discovery): Promise<Catalog> {
  const factsBytes = byteLength(JSON.stringify(discovery.facts))
  if (factsBytes > MAX_FACTS_BYTES) {
    throw tooMuch(`${factsBytes} bytes about itself`, `${MAX_FACTS_BYTES} bytes`)
  }
  const groups = await Promise.all([
    itemsOf('tool', discovery.tools),
    itemsOf('resource', discovery.resources),
    itemsOf('template', discovery.resourceTemplates),
    itemsOf('prompt', discovery.prompts),
  ])
  const items = groups.flat()
  const totalBytes = items.reduce((sum, item) => sum + byteLength(item.definition), 0)
  if (totalBytes > MAX_TOTAL_BYTES) {
    throw tooMuch(`definitions of ${totalBytes} bytes`, `${MAX_TOTAL_BYTES} bytes`)
  }
  const lines = items.map((item) => `${item.kind}\n${item.key}\n${item.contentHash}`).sort()
  return {
    items,
    counts: countKinds(items.filter((item) => item.problem === null)),
    hash: await sha256Hex(canonicalJson(lines)),
  }
}

async function itemsOf(kind: CatalogKind, raw: readonly unknown[]): Promise<CatalogItem[]> {
  if (raw.length > MAX_ITEMS_OF_KIND) {
    throw tooMuch(`${raw.length} ${kind}s`, `${MAX_ITEMS_OF_KIND} of a kind`)
  }
  const seen = new Set<string>()
  const items: CatalogItem[] = []
  for (const [position, value] of raw.entries()) {
    const item = await toItem(kind, position, value)
    const problem = item.problem ?? (seen.has(item.key) ? 'repeats the name of another' : null)
    seen.add(item.key)
    items.push({ ...item, problem })
  }
  return items
}

async function toItem(kind: CatalogKind, position: number, value: unknown): Promise<CatalogItem> {
  if (isDeeperThan(value, MAX_DEPTH)) throw tooMuch(`a ${kind} of great depth`, `${MAX_DEPTH}`)
  const definition = JSON.stringify(value) ?? 'null'
  const bytes = byteLength(definition)
  if (bytes > MAX_DEFINITION_BYTES) {
    throw tooMuch(`a ${kind} of ${bytes} bytes`, `${MAX_DEFINITION_BYTES} bytes`)
  }
  const { keyMember } = CATALOG_LISTS[kind]
  const key = isPlainObject(value) ? value[keyMember] : undefined
  const isText = typeof key === 'string' && key !== '' && key.length <= MAX_KEY_CHARS
  // A lone surrogate is stored as another character: the upstream knows no item of that name.
  const isNamed = isText && key.isWellFormed()
  const facts = kind === 'tool' && isPlainObject(value) ? toolFactsOf(value) : NO_FACTS
  const problem = facts.kind === 'invalid' ? facts.problem : null
  return {
    kind,
    position,
    key: isNamed ? key : '',
    definition,
    contentHash: await sha256Hex(canonicalJson(value ?? null)),
    schemaHash: kind === 'tool' && isPlainObject(value) ? await schemaHashOf(value) : '',
    problem: isNamed ? problem : unusable(keyMember, isText),
    ...(facts.kind === 'facts' ? facts.facts : NO_FACTS.facts),
  }
}

function schemaHashOf(tool: Readonly<Record<string, unknown>>): Promise<string> {
  return sha256Hex(canonicalJson(tool['inputSchema'] ?? null))
}

function unusable(keyMember: string, isText: boolean): string {
  return isText
    ? `has a ${keyMember} that is not well-formed Unicode`
    : `has no usable ${keyMember}`
}

const NO_FACTS = {
  kind: 'facts',
  facts: { headerParams: [], readOnly: false, idempotent: false },
} as const

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some((member) => isDeeperThan(member, levels - 1))
}

function tooMuch(what: string, bound: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server offers ${what}; the registry keeps at most ${bound}.`,
    { fix: 'Offer less, or spread it over several servers.' },
  )
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).byteLength
}
