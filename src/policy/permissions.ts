import { GatewayError } from '../core/index.ts'
import { type Actor, isVisible, type Target } from './decide.ts'
import { carriesScope, insufficientScope, scopeOfPermission } from './oauth-scopes.ts'
import type { Permission } from './scopes.ts'

/** The answer for a server that does not exist, and for one that the actor may not see. */
export function notFoundServer(path: string): GatewayError {
  return new GatewayError('not_found', `There is no server named ${JSON.stringify(path)}.`)
}

/**
 * Passes when the actor holds the permission: on the target, or, without a target, on anything at
 * all. Throws `not_found` for a target the actor may not list, `forbidden` naming the permission,
 * `insufficient_scope` when the groups allow it and the token does not. For `register_service` the
 * target is what would be created, so a refusal is always `forbidden`.
 */
export function requirePermission(actor: Actor, permission: Permission, target?: Target): void {
  if (!isGranted(actor, permission, target)) {
    const isHidden = target !== undefined && permission !== 'register_service'
    if (isHidden && !isGranted(actor, 'list_service', target)) throw notFoundServer(target.path)
    throw new GatewayError('forbidden', `This needs the permission ${permission}.`, {
      data: { permission },
    })
  }
  const scope = scopeOfPermission(permission)
  if (!carriesScope(actor.principal, scope)) throw insufficientScope(scope)
}

/** Whether `requirePermission` would pass. */
export function canPermission(actor: Actor, permission: Permission, target?: Target): boolean {
  return (
    isGranted(actor, permission, target) &&
    carriesScope(actor.principal, scopeOfPermission(permission))
  )
}

/** By groups and visibility alone. */
function isGranted(actor: Actor, permission: Permission, target: Target | undefined): boolean {
  const reach = actor.rights.permissions.get(permission)
  if (reach === undefined) return false
  // The policy is one per tenant: a part of it is no permission to change it.
  if (permission === 'manage_policy') return reach.all
  if (target === undefined) return true
  if (!isVisible(actor, target)) return false
  if (reach.all || reach.paths.has(target.path)) return true
  return reach.own && target.owner === actor.principal.key
}
