import { type AccessScope, type Grant, PERMISSIONS, type PermissionMap } from './scopes.ts'

const everywhere: readonly Grant[] = [{ server: '*', methods: ['*'], tools: ['*'] }]

const userPermissions: PermissionMap = {
  list_service: ['all'],
  list_agents: ['all'],
  get_agent: ['all'],
}

/**
 * The roles admin > server_owner > user as named bundles (DESIGN.md, Identity and policy). Every
 * tenant has them; a policy may map groups to them and never redefines them.
 */
export const BUILT_IN_SCOPES: Readonly<Record<'admin' | 'server_owner' | 'user', AccessScope>> = {
  admin: {
    permissions: Object.fromEntries(PERMISSIONS.map((permission) => [permission, ['all']])),
    grants: everywhere,
  },
  server_owner: {
    permissions: {
      ...userPermissions,
      register_service: ['all'],
      modify_service: ['own'],
      toggle_service: ['own'],
      delete_service: ['own'],
      health_check_service: ['own'],
      publish_agent: ['all'],
      modify_agent: ['own'],
      delete_agent: ['own'],
    },
    grants: everywhere,
  },
  user: { permissions: userPermissions, grants: everywhere },
}

/** True for the name of a role that a policy may not redefine. */
export function isBuiltInScope(name: string): boolean {
  return Object.hasOwn(BUILT_IN_SCOPES, name)
}
