import { z } from 'zod'
import { isPlainObject, parseInput, ServerPath } from '../../core/index.ts'
import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import { editObject, remove, set, within } from '../wire/edit-members.ts'

/** In `_meta` of a request at `/mcp`: any server that has the named thing may answer. */
const ROUTE_META_KEY = 'dev.gatehouse/route'

const MAX_SERVERS = 50
const servers = z.array(ServerPath).max(MAX_SERVERS)

/** Which of the servers that have it, all of them where nothing is said. */
export const RouteWish = z.strictObject({
  tag: z.string().min(1).max(50).optional().describe('Only servers with this tag.'),
  servers: servers.min(1).optional().describe('Only these servers.'),
  prefer: servers.optional().describe('These first, in this order, while they are available.'),
  definition: z
    .union([z.literal('any'), z.string().regex(/^[0-9a-f]{64}$/)])
    .optional()
    .describe(
      'Hash of the input schema that the arguments were written for, or `any`. Default: that of the server registered first.',
    ),
})
export type RouteWish = z.infer<typeof RouteWish>

const Wishing = z.object({ _meta: z.object({ [ROUTE_META_KEY]: RouteWish }) })

/** What may be asked for without saying whose it is. */
const ROUTED: ReadonlySet<string> = new Set(['tools/call', 'resources/read'])

/**
 * The wish of a request, under which its name or URI is the servers' own; undefined for one that
 * has none. Throws `invalid_params`.
 */
export function wishOf({ method, params }: InboundRequest): RouteWish | undefined {
  const meta = params['_meta']
  if (!isPlainObject(meta) || !Object.hasOwn(meta, ROUTE_META_KEY)) return undefined
  if (!ROUTED.has(method)) return undefined
  // By the path that its client wrote it at, which is what a refusal names.
  return parseInput(Wishing, { _meta: { [ROUTE_META_KEY]: meta[ROUTE_META_KEY] } })._meta[
    ROUTE_META_KEY
  ]
}

/** The request without its wish, which is between its client and the gateway. */
export function withoutWish(inbound: InboundRequest): InboundRequest {
  const meta = inbound.params['_meta']
  const { [ROUTE_META_KEY]: _, ...kept } = isPlainObject(meta) ? meta : {}
  const text = editObject(inbound.text, {
    params: within({ _meta: within({ [ROUTE_META_KEY]: remove }) }),
  })
  return { ...withText(inbound, text), params: { ...inbound.params, _meta: kept } }
}

/** Which server a multi round-trip request is with: its retry may go to no other. */
export function stateWithServer(server: string, sealed: string): string {
  return `${server}+${sealed}`
}

/** A retry taken apart: its server, and the request with the state as it was sealed. */
export interface Retry {
  readonly server: string
  readonly inbound: InboundRequest
}

/** Undefined for a request that is no retry; a state that names no server is one of nobody. */
export function retryOf(inbound: InboundRequest): Retry | undefined {
  const state = inbound.params['requestState']
  if (inbound.era !== 'modern' || state === undefined) return undefined
  const text = typeof state === 'string' ? state : ''
  const [, server = '', sealed = ''] = /^([a-z0-9][a-z0-9-]{0,30})\+(.*)$/s.exec(text) ?? []
  const edited = editObject(inbound.text, { params: within({ requestState: set(sealed) }) })
  const params = { ...inbound.params, requestState: sealed }
  return { server, inbound: { ...withText(inbound, edited), params } }
}
