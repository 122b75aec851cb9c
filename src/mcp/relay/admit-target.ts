import type { CallContext } from '../../core/index.ts'
import { type Limits, type LimitTarget, requireTargetAdmission } from '../../limits/index.ts'
import type { TenantSnapshot } from '../../registry/index.ts'
import type { Inbound } from '../eras.ts'
import type { Arrival } from './arrive.ts'
import type { Target } from './target.ts'

/** What limits by server, tool and method need to know of a message. */
export interface Admitting {
  readonly limits: Pick<Limits, 'admitTarget'>
}

/**
 * Spends a permit of the rules about this server, method and tool, which the policy allows. By
 * whatever endpoint the message came, it counts under its server's path and the server's own name
 * of the tool. Throws `rate_limited`.
 */
export function admitTarget(
  ctx: CallContext,
  { limits }: Admitting,
  { limits: rules }: Pick<TenantSnapshot, 'limits'>,
  { actor, server }: Target,
  inbound: Inbound,
  tool: string | undefined = inbound.kind === 'request' ? inbound.name : undefined,
): Promise<void> | undefined {
  if (rules.targeted.length === 0) return undefined
  const target = limitTargetOf(server, inbound, tool)
  return requireTargetAdmission(ctx, limits, actor.principal, rules, target)
}

/** What a message to this server counts as. */
export function limitTargetOf(
  server: Pick<Target['server'], 'path' | 'tools'>,
  inbound: Inbound,
  tool: string | undefined,
): LimitTarget {
  const method = methodOf(inbound)
  // Tools that are not there have one counter: invented names must not make new ones.
  const known = server.tools.has(tool ?? '') ? tool : '?'
  return { server: server.path, method, ...(isCall(method) && { tool: known ?? '?' }) }
}

/** The same for who wants to be told of changes, which the gateway does itself at every endpoint. */
export function admitListening(
  ctx: CallContext,
  deps: Admitting,
  { actor, snapshot, resolved }: Arrival,
  inbound: Inbound,
): Promise<void> | undefined {
  if (resolved.kind === 'server') {
    return admitTarget(ctx, deps, snapshot, { actor, server: resolved.server }, inbound)
  }
  return admitOwn(ctx, deps, snapshot, { actor, path: resolved.endpoint.path }, inbound)
}

/** The same for what the gateway answers itself, under the name of the endpoint. */
export function admitOwn(
  ctx: CallContext,
  { limits }: Admitting,
  { limits: rules }: Pick<TenantSnapshot, 'limits'>,
  { actor, path }: { readonly actor: Target['actor']; readonly path: string },
  inbound: Inbound,
  tool?: string,
): Promise<void> | undefined {
  if (rules.targeted.length === 0) return undefined
  const target: LimitTarget = {
    server: path,
    method: methodOf(inbound),
    ...(tool === undefined ? {} : { tool }),
  }
  return requireTargetAdmission(ctx, limits, actor.principal, rules, target)
}

function isCall(method: string): boolean {
  return method === 'tools/call'
}

function methodOf(inbound: Inbound): string {
  return inbound.kind === 'response' ? 'notifications/response' : inbound.method
}
