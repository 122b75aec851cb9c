import { type CallContext, GatewayError, isPlainObject } from '../../core/index.ts'
import { type Actor, decide } from '../../policy/index.ts'
import {
  isFleetItem,
  type PinnedItem,
  type ServerRecord,
  type TenantSnapshot,
} from '../../registry/index.ts'
import { crosses } from '../bridge/crossing.ts'
import { unknownTask } from '../relay/own-task.ts'
import { requireAllowed, unknownTool } from '../relay/require-allowed.ts'
import type { SettleEra } from '../relay/settle-era.ts'
import type { SharedEndpoint } from './endpoint.ts'
import { originalName, originalTask, originalUri, splitName } from './naming.ts'
import { matchesTemplate } from './uri-template.ts'

/** What a request names, and which member of its params does so. */
export interface Named {
  readonly kind: 'tool' | 'prompt' | 'uri' | 'task'
  /** Members from `params` down. */
  readonly at: readonly string[]
  readonly value: string
}

/** The server that a named thing belongs to, and the server's own name for it. */
export interface Found {
  readonly server: ServerRecord
  readonly original: string
}

export interface FindRequest {
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly endpoint: SharedEndpoint
  readonly era: 'modern' | 'legacy'
  readonly method: string
  readonly named: Named
  readonly settleEra: SettleEra
  /** Of a tool that several upstreams share: the one that is meant. */
  readonly member?: PinnedItem
}

/** A longer name or URI is none that the catalogue keeps. */
export const MAX_VALUE_CHARS = 2_048

/**
 * The member of a request of a shared endpoint that names a thing of one server. Undefined for a
 * method that names none; a value that is no text reads as an empty one, which nothing has.
 */
export function namedBy(
  method: string,
  params: Readonly<Record<string, unknown>>,
): Named | undefined {
  return Object.hasOwn(NAMED, method) ? NAMED[method]?.(params) : undefined
}

type Read = (params: Readonly<Record<string, unknown>>) => Named

const byName =
  (kind: 'tool' | 'prompt'): Read =>
  (params) => ({ kind, at: ['name'], value: textOf(params['name']) })

const byUri: Read = (params) => ({ kind: 'uri', at: ['uri'], value: textOf(params['uri']) })

const byReference: Read = ({ ref: given }) => {
  const ref = isPlainObject(given) ? given : {}
  return ref['type'] === 'ref/prompt'
    ? { kind: 'prompt', at: ['ref', 'name'], value: textOf(ref['name']) }
    : { kind: 'uri', at: ['ref', 'uri'], value: textOf(ref['uri']) }
}

const byTask: Read = (params) => ({ kind: 'task', at: ['taskId'], value: textOf(params['taskId']) })

const NAMED: Readonly<Record<string, Read>> = {
  'tools/call': byName('tool'),
  'prompts/get': byName('prompt'),
  'resources/read': byUri,
  'resources/subscribe': byUri,
  'resources/unsubscribe': byUri,
  'completion/complete': byReference,
  'tasks/get': byTask,
  'tasks/update': byTask,
  'tasks/cancel': byTask,
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/**
 * Finds whose thing it is, and asks the policy about the server's own name of it. Whatever is
 * missing, hidden, denied or held back reads alike: unknown.
 */
export async function findItem(ctx: CallContext, request: FindRequest): Promise<Found> {
  const { actor, method, named } = request
  const found = named.value.length <= MAX_VALUE_CHARS ? await locate(ctx, request) : undefined
  if (!found) throw unknownItem(request)
  const tool = named.kind === 'tool' ? found.original : undefined
  const decision = decide(actor, found.server, method, tool)
  const unknown = () => unknownItem(request)
  requireAllowed(decision, {
    unknown_server: unknown,
    unknown_method: unknown,
    unknown_tool: unknown,
  })
  if (request.era === 'modern') return found
  // Asked last: who may not use it makes no request.
  return { ...found, server: await request.settleEra(ctx, found.server) }
}

async function locate(ctx: CallContext, request: FindRequest): Promise<Found | undefined> {
  const { endpoint, snapshot, actor, method, named } = request
  const wanted = request.member ? wantedItem(request.member) : wantedOf(endpoint, named)
  if (!wanted) return undefined
  if (endpoint.kind === 'virtual') {
    const tool = named.kind === 'tool' ? named.value : undefined
    const { kind } = decide(actor, endpoint.virtual, method, tool)
    // A missing OAuth scope is the same for the server behind, which says so.
    if (kind !== 'allow' && kind !== 'insufficient_scope') return undefined
  }
  const server = await snapshot.server(ctx, wanted.server)
  if (!server?.enabled) return undefined
  // Tasks of the eras are two things, and one era has none of the other's.
  if (named.kind === 'task' && crosses(server.upstream, 'modern')) return undefined
  const original = wanted.find(server)
  return original === undefined ? undefined : { server, original }
}

interface Wanted {
  readonly server: string
  readonly find: (server: ServerRecord) => string | undefined
}

/** No server stands behind the endpoint of the gateway's own tools. */
function wantedOf(endpoint: SharedEndpoint, named: Named): Wanted | undefined {
  switch (endpoint.kind) {
    case 'own':
      return undefined
    case 'all':
      return prefixed(named)
    case 'virtual':
      return chosen(endpoint.virtual.items, named)
  }
}

/** On `/mcp` the name says whose it is. */
function prefixed({ kind, value }: Named): Wanted | undefined {
  if (kind === 'task') return ofTask(value)
  if (kind === 'uri') {
    const uri = originalUri(value)
    return uri && { server: uri.server, find: () => uri.uri }
  }
  const split = splitName(value)
  if (!split) return undefined
  return {
    server: split.server,
    find: ({ tools, prompts }) => originalName(value, split, kind === 'tool' ? tools : prompts),
  }
}

/** Whether it was given to the caller is for its seal to say. */
function ofTask(value: string): Wanted | undefined {
  const task = originalTask(value)
  return task && { server: task.server, find: () => task.id }
}

/** On a virtual server: what was chosen, and has not changed since. */
function chosen(items: readonly PinnedItem[], { kind, value }: Named): Wanted | undefined {
  if (kind === 'task') {
    const task = ofTask(value)
    return task && hasTool(items, task.server) ? task : undefined
  }
  const item = kind === 'uri' ? chosenUri(items, value) : chosenName(items, kind, value)
  return item && { server: item.server, find: () => item.original }
}

function wantedItem({ server, key }: PinnedItem): Wanted {
  return { server, find: () => key }
}

/** Whether a server takes part with anything that can become a task. */
export function hasTool(items: readonly PinnedItem[], path: string): boolean {
  return items.some(
    ({ kind, server, state }) => kind === 'tool' && server === path && state === 'ok',
  )
}

function chosenName(items: readonly PinnedItem[], kind: 'tool' | 'prompt', value: string) {
  const item = items.find(
    (one) => one.kind === kind && one.name === value && one.state === 'ok' && !isFleetItem(one),
  )
  return item && { server: item.server, original: item.key }
}

/** The server of a URI that was chosen, itself or by its template. */
export function chosenUri(items: readonly PinnedItem[], value: string) {
  const uri = originalUri(value)
  if (!uri) return undefined
  const isMeant = ({ kind, server, key, state }: PinnedItem): boolean =>
    server === uri.server &&
    state === 'ok' &&
    ((kind === 'resource' && key === uri.uri) ||
      (kind === 'template' && matchesTemplate(key, uri.uri)))
  return items.some(isMeant) ? { server: uri.server, original: uri.uri } : undefined
}

/** What a named thing reads like that is missing, hidden or denied. */
export function unknownItem({
  era,
  named: { kind, value },
}: Pick<FindRequest, 'era' | 'named'>): GatewayError {
  const shown = value.slice(0, 128)
  if (kind === 'tool') return unknownTool(value)
  if (kind === 'task') return unknownTask()
  if (kind === 'prompt') return new GatewayError('unknown_prompt', `Unknown prompt: ${shown}`)
  const code = era === 'legacy' ? 'unknown_resource_legacy' : 'unknown_resource'
  return new GatewayError(code, `Unknown resource: ${shown}`)
}
