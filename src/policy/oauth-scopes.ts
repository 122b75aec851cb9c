import { GatewayError, type Principal } from '../core/index.ts'
import type { Permission } from './scopes.ts'

/** OAuth scopes by which a token can be made weaker than its principal. */
export type OAuthScope = 'gatehouse:read' | 'gatehouse:call' | 'gatehouse:manage'

const PREFIX = 'gatehouse:'

/** MCP methods that change nothing. Whatever is not named here needs `gatehouse:call`. */
const READ_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
])

const READ_PERMISSIONS: ReadonlySet<Permission> = new Set([
  'list_service',
  'list_agents',
  'get_agent',
])

/** The OAuth scope an MCP method needs. */
export function scopeOfMethod(method: string): OAuthScope {
  const reads = READ_METHODS.has(method) || method.startsWith('notifications/')
  return reads ? 'gatehouse:read' : 'gatehouse:call'
}

/** The OAuth scope a management permission needs. */
export function scopeOfPermission(permission: Permission): OAuthScope {
  return READ_PERMISSIONS.has(permission) ? 'gatehouse:read' : 'gatehouse:manage'
}

/** A token with any `gatehouse:` scope is limited to those it carries; one with none is not. */
export function carriesScope(principal: Principal, needed: OAuthScope): boolean {
  const isLimited = principal.scopes.some((scope) => scope.startsWith(PREFIX))
  return !isLimited || principal.scopes.includes(needed)
}

/** 403 that a step-up cures; whoever answers adds the challenge (RFC 6750 section 3.1). */
export function insufficientScope(scope: string): GatewayError {
  return new GatewayError('insufficient_scope', `The token lacks the OAuth scope ${scope}.`, {
    data: { scope },
  })
}
