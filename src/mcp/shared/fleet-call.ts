import { type CallContext, isPlainObject } from '../../core/index.ts'
import { type Actor, decide, insufficientScope } from '../../policy/index.ts'
import {
  type FleetItem,
  fleetsOf,
  type PinnedItem,
  type TenantSnapshot,
} from '../../registry/index.ts'
import type { InboundRequest } from '../eras.ts'
import { withText } from '../inbound-text.ts'
import { editObject, remove, within } from '../wire/edit-members.ts'
import type { SharedEndpoint } from './endpoint.ts'
import { type FindRequest, type Found, findItem, type Named, unknownItem } from './items.ts'
import type { LocalAnswer } from './shared-request.ts'

type Members = readonly FleetItem<PinnedItem>[]

/** The members of a fleet's tool that a request names; undefined for anything else. */
export function fleetNamed(endpoint: SharedEndpoint, named: Named): Members | undefined {
  if (endpoint.kind !== 'virtual' || named.kind !== 'tool') return undefined
  return fleetsOf(endpoint.virtual.items).get(named.value)
}

/** Whom a call of a fleet's tool is for, and the call without its selector; or what to repair. */
export type FleetCall =
  | { readonly kind: 'found'; readonly found: Found; readonly inbound: InboundRequest }
  | { readonly kind: 'answer'; readonly answer: LocalAnswer }

/** More values than a model would read. */
const MAX_VALUES = 100

/**
 * Finds the member that the selector names. For a value that means none which the caller may use,
 * missing or hidden alike, the answer names those that do. Throws what `findItem` throws where
 * there are none.
 */
export async function fleetCall(
  ctx: CallContext,
  find: FindRequest,
  members: Members,
  inbound: InboundRequest,
): Promise<FleetCall> {
  const [{ fleet: { selector } = {} } = {}] = members
  const args = inbound.params['arguments']
  if (selector === undefined) throw unknownItem(find)
  const value = isPlainObject(args) && Object.hasOwn(args, selector) ? args[selector] : undefined
  const member = members.find((item) => item.fleet.value === value && item.state === 'ok')
  if (member && mayCall(find.actor, await behind(ctx, find.snapshot, member), member)) {
    const found = await findItem(ctx, { ...find, member })
    return { kind: 'found', found, inbound: withoutSelector(inbound, selector) }
  }
  return { kind: 'answer', answer: await refusal(ctx, find, members, selector, inbound.era) }
}

/** The arguments as the server knows them; every other byte stays. */
function withoutSelector(inbound: InboundRequest, selector: string): InboundRequest {
  const text = editObject(inbound.text, {
    params: within({ arguments: within({ [selector]: remove }) }),
  })
  const { arguments: args, ...params } = inbound.params
  const { [selector]: _, ...kept } = isPlainObject(args) ? args : {}
  return { ...withText(inbound, text), params: { ...params, arguments: kept } }
}

async function refusal(
  ctx: CallContext,
  find: FindRequest,
  members: Members,
  selector: string,
  era: InboundRequest['era'],
): Promise<LocalAnswer> {
  const { actor, snapshot, endpoint } = find
  const tool = find.named.value
  const own =
    endpoint.kind === 'virtual' ? decide(actor, endpoint.virtual, 'tools/call', tool) : undefined
  if (own?.kind === 'insufficient_scope') throw insufficientScope(own.scope)
  const servers = new Map((await snapshot.index(ctx)).map((one) => [one.path, one]))
  const values = members.flatMap((item) => {
    const isThere = item.state === 'ok' && mayCall(actor, servers.get(item.server), item)
    return isThere ? [JSON.stringify(item.fleet.value)] : []
  })
  if (own?.kind !== 'allow' || values.length === 0) throw unknownItem(find)
  ctx.facts.outcome = 'tool_error'
  const shown = values.slice(0, MAX_VALUES).join(', ')
  const text = `The argument ${JSON.stringify(selector)} must be one of: ${shown}.`
  const result = { content: [{ type: 'text', text }], isError: true }
  const complete = era === 'modern' ? { resultType: 'complete', ...result } : result
  return { result: JSON.stringify(complete) }
}

async function behind(ctx: CallContext, snapshot: TenantSnapshot, { server }: PinnedItem) {
  const record = await snapshot.server(ctx, server)
  return record?.enabled ? record : undefined
}

/** By groups: a scope that is missing is told with the call. */
function mayCall(
  actor: Actor,
  server: Parameters<typeof decide>[1] | undefined,
  { key }: PinnedItem,
): boolean {
  if (!server) return false
  const { kind } = decide(actor, server, 'tools/call', key)
  return kind === 'allow' || kind === 'insufficient_scope'
}
