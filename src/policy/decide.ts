import type { Principal } from '../core/index.ts'
import { carriesScope, scopeOfMethod } from './oauth-scopes.ts'
import { hasName, type Rights } from './rights.ts'
import type { Visibility } from './visibility.ts'

/** Who acts, and what the policy of the tenant gives them. */
export interface Actor {
  readonly principal: Principal
  readonly rights: Rights
}

/** The server acted upon. The caller guarantees that it is of the actor's tenant. */
export interface Target {
  readonly path: string
  /** `principal.key` of the owner. */
  readonly owner: string
  readonly visibility: Visibility
  readonly allowedGroups: readonly string[]
}

export type Decision =
  | { readonly kind: 'allow' }
  | { readonly kind: 'unknown_server' }
  | { readonly kind: 'unknown_method' }
  | { readonly kind: 'unknown_tool' }
  | { readonly kind: 'insufficient_scope'; readonly scope: string }

/** Any grant on a server implies these, and every `notifications/` method. */
const HANDSHAKE: ReadonlySet<string> = new Set([
  'initialize',
  // Sets what the session is told, nothing else; clients give up where it fails.
  'logging/setLevel',
  'ping',
  'server/discover',
])

/**
 * Whether the actor may send this method (and, for `tools/call`, this tool) to this server. A
 * denial never tells whether the thing exists; only `insufficient_scope` does, since the groups
 * allow it. `tools/call` without a tool is an unknown tool.
 */
export function decide(actor: Actor, target: Target, method: string, tool?: string): Decision {
  const grants = isVisible(actor, target) ? actor.rights.grantsOf(target.path) : undefined
  if (grants === undefined) return { kind: 'unknown_server' }
  const isHandshake = HANDSHAKE.has(method) || method.startsWith('notifications/')
  if (!isHandshake && !hasName(grants.methods, method)) return { kind: 'unknown_method' }
  if (method === 'tools/call' && (tool === undefined || !hasName(grants.callable, tool))) {
    return { kind: 'unknown_tool' }
  }
  const scope = scopeOfMethod(method)
  return carriesScope(actor.principal, scope)
    ? { kind: 'allow' }
    : { kind: 'insufficient_scope', scope }
}

/** Which tools `tools/list` of this server shows the actor. */
export function toolFilter(actor: Actor, target: Target): 'all' | ((name: string) => boolean) {
  const grants = isVisible(actor, target) ? actor.rights.grantsOf(target.path) : undefined
  if (grants === undefined) return () => false
  const { listed } = grants
  return listed === 'all' ? 'all' : (name) => listed.has(name)
}

/** The wall besides the grants: private servers are the owner's, group servers their groups'. */
export function isVisible(actor: Actor, target: Target): boolean {
  if (target.visibility === 'public') return true
  if (actor.rights.isAdmin || target.owner === actor.principal.key) return true
  if (target.visibility === 'private') return false
  return target.allowedGroups.some((group) => actor.principal.groups.includes(group))
}
