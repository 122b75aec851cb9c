import { z } from 'zod'
import { invalidInput, type PrivateHosts, ServerPath, upstreamUrlProblem } from '../core/index.ts'
import { Visibility } from '../policy/index.ts'
import {
  contradictionsIn,
  type ResilienceDefaults,
  ResilienceSettings,
} from '../resilience/index.ts'
import { CustomHeaders, CustomHeadersPatch } from './custom-headers.ts'
import { Health } from './server-record.ts'
import { httpUrlOf, isSocketUrl, TransportChoice, transportProblems } from './transports.ts'

const MAX_URL_CHARS = 2048
const MAX_ENDPOINTS = 10
const MAX_TAGS = 20
const MAX_GROUPS = 50

/** One line: no control characters, no white space around it. */
export const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    // A refinement, since a JSON Schema pattern cannot carry the flag that \p needs.
    .refine(isOneLine, 'must be one line without control characters')
    .refine((text) => text.trim() === text, 'must not start or end with white space')

function isOneLine(text: string): boolean {
  return !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)
}

/** Whether nothing stands twice in the list. */
export const unique = <T>(items: readonly T[]): boolean => new Set(items).size === items.length
const UNIQUE = 'must not hold anything twice'

const Tag = line(50).refine((tag) => tag === tag.toLowerCase(), 'must be lower-case')

/** One address of a server; calls are spread over them by weight. */
const EndpointInput = z.strictObject({
  url: z.string().min(1).max(MAX_URL_CHARS),
  weight: z.number().int().min(1).max(1000).default(1),
})

const endpoints = z
  .array(EndpointInput)
  .min(1)
  .max(MAX_ENDPOINTS)
  .refine((list) => unique(list.map((endpoint) => endpoint.url)), 'must not hold a URL twice')

type ForGroups = {
  readonly visibility: Visibility
  readonly allowedGroups: readonly string[]
}

/** What is wrong where `namesItsGroups` does not hold. */
export const NAMES_NO_GROUP = {
  path: ['allowedGroups'],
  message: 'must name a group when visibility is group',
}

/** Where the entry came from. */
export const Provenance = z.strictObject({
  source: line(100),
  url: z.string().max(MAX_URL_CHARS).refine(isPlainWebUrl, 'must be an http(s) URL').optional(),
  version: line(100).optional(),
})
export type Provenance = z.infer<typeof Provenance>

/** Members of every registered thing. */
export const fields = {
  name: line(100),
  description: z.string().max(2000),
  tags: z.array(Tag).max(MAX_TAGS).refine(unique, UNIQUE),
  license: z.string().max(100),
  visibility: Visibility,
  allowedGroups: z.array(line(128)).max(MAX_GROUPS).refine(unique, UNIQUE),
  enabled: z.boolean(),
  transport: TransportChoice.describe(
    'How its endpoints are spoken to. `auto` finds out: WebSocket for ws(s) URLs; else Streamable HTTP; else, when that is refused with 400, 404 or 405, HTTP+SSE.',
  ),
  authStrategy: z.literal('none'),
  timeoutMs: z.number().int().min(1000).max(300_000),
  trustAnnotations: z.boolean(),
  resilience: ResilienceSettings,
}

/** A whole server, as registered and as replaced. */
export const ServerInput = z
  .strictObject({
    path: ServerPath,
    name: fields.name,
    description: fields.description.default(''),
    tags: fields.tags.default([]),
    license: fields.license.default(''),
    visibility: fields.visibility.default('public'),
    allowedGroups: fields.allowedGroups.default([]),
    enabled: fields.enabled.default(true),
    transport: fields.transport.default('auto'),
    authStrategy: fields.authStrategy.default('none'),
    headers: CustomHeaders.default({}),
    timeoutMs: fields.timeoutMs.default(30_000),
    trustAnnotations: fields.trustAnnotations.default(false),
    resilience: fields.resilience.default({}),
    provenance: Provenance.default({ source: 'manual' }),
    endpoints,
  })
  .refine(namesItsGroups, NAMES_NO_GROUP)
export type ServerInput = z.infer<typeof ServerInput>

/** The members to change; the path of a server never changes. */
export const ServerPatch = z
  .strictObject({
    name: fields.name.optional(),
    description: fields.description.optional(),
    tags: fields.tags.optional(),
    license: fields.license.optional(),
    visibility: fields.visibility.optional(),
    allowedGroups: fields.allowedGroups.optional(),
    enabled: fields.enabled.optional(),
    transport: fields.transport.optional(),
    authStrategy: fields.authStrategy.optional(),
    headers: CustomHeadersPatch.optional(),
    timeoutMs: fields.timeoutMs.optional(),
    trustAnnotations: fields.trustAnnotations.optional(),
    resilience: fields.resilience.describe('Replaces all of it.').optional(),
    provenance: Provenance.optional(),
    endpoints: endpoints.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'must change something')
export type ServerPatch = z.infer<typeof ServerPatch>

/** The state to switch to; without it the state flips. */
export const ToggleInput = z.strictObject({ enabled: fields.enabled.optional() })
export type ToggleInput = z.infer<typeof ToggleInput>

const paging = {
  cursor: z.string().max(2048).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(30),
}

/** Which servers, and which page of them. */
export const ServerListQuery = z.strictObject({
  ...paging,
  tag: Tag.optional(),
  /** Part of path, name or description, in any case. */
  text: z.string().min(1).max(100).optional(),
  health: Health.optional(),
})
export type ServerListQuery = z.infer<typeof ServerListQuery>

export const ToolListQuery = z.strictObject(paging)
export type ToolListQuery = z.infer<typeof ToolListQuery>

export const WriteQuery = z.strictObject({
  /** `true` stores the server even when no endpoint answers; it is unhealthy then. */
  allowUnreachable: z.enum(['true', 'false']).default('false'),
})
export type WriteQuery = z.infer<typeof WriteQuery>

/** Which page of a list without filters. */
export const PageQuery = z.strictObject(paging)
export type PageQuery = z.infer<typeof PageQuery>

/** Names of query parameters that carry credentials. URLs are stored in the clear, headers sealed. */
const SECRET_NAME = /key|token|secret|passw|pwd|auth|credential|signature|^sig$/i

function querySecretProblem(url: string): string | undefined {
  const names = [...new URL(url).searchParams.keys()]
  const secret = names.find((name) => SECRET_NAME.test(name))
  return secret === undefined
    ? undefined
    : `must not carry a credential ("${secret}"); put it into a custom header, which is stored sealed`
}

/** Throws `invalid_params` when an endpoint may not be called, or not over the transport. */
export function checkEndpoints(
  list: readonly { readonly url: string }[],
  privateHosts: PrivateHosts,
  choice: TransportChoice,
): void {
  const problems = list.flatMap(({ url }, index) => {
    const message = addressProblem(url, privateHosts) ?? querySecretProblem(url)
    return message === undefined ? [] : [{ index, message }]
  })
  const all = problems.length > 0 ? problems : transportProblems(choice, list)
  if (all.length === 0) return
  throw invalidInput(all.map(({ index, message }) => ({ path: `endpoints.${index}.url`, message })))
}

/** Throws `invalid_params` when settings cannot hold together. */
export function checkResilience(
  settings: ResilienceSettings | undefined,
  owner: { readonly timeoutMs: number },
  defaults: ResilienceDefaults,
): void {
  const problems = settings ? contradictionsIn(settings, owner, defaults) : []
  if (problems.length === 0) return
  throw invalidInput(problems.map(({ path, message }) => ({ path: `resilience.${path}`, message })))
}

function addressProblem(url: string, privateHosts: PrivateHosts): string | undefined {
  const problem = upstreamUrlProblem(httpUrlOf(url), privateHosts)
  return isSocketUrl(url) ? problem?.replace('https', 'wss').replace('plain http', 'ws') : problem
}

/** A server for groups has to name one. */
export function namesItsGroups({ visibility, allowedGroups }: ForGroups): boolean {
  return visibility !== 'group' || allowedGroups.length > 0
}

/** Throws `invalid_params` when what a patch comes to is for groups and names none. */
export function checkGroups(patched: ForGroups): void {
  if (namesItsGroups(patched)) return
  throw invalidInput([{ path: 'allowedGroups', message: NAMES_NO_GROUP.message }])
}

/** Throws `invalid_params` when what replaces a server names another path: its own never changes. */
export function checkPath(named: ServerPath, path: ServerPath): void {
  if (named === path) return
  throw invalidInput([{ path: 'path', message: 'must be the path in the URL' }])
}

function isPlainWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
  return isWeb && url.username === '' && url.password === ''
}

/** True by zod: an absent member of a parsed JSON object has no key, so none is undefined. */
export function withoutUndefined<T extends object>(parsed: T) {
  return parsed as { [K in keyof T]?: Exclude<T[K], undefined> }
}
