import { ServerPath, type TenantId } from '../core/index.ts'
import {
  type Actor,
  notFoundServer,
  type Permission,
  requirePermission,
  type Target,
} from '../policy/index.ts'
import type { Repositories } from './repository.ts'
import type { StoredServer } from './rows.ts'
import type { StoredVirtual } from './virtual/virtual-rows.ts'

/**
 * The server of the actor's tenant at `path`, on which the actor holds the permission. Unknown,
 * foreign and hidden servers throw the same `not_found`.
 */
export async function authorizeServer(
  repositories: Pick<Repositories, 'servers'>,
  actor: Actor,
  permission: Permission,
  path: string,
): Promise<StoredServer> {
  return authorize(repositories.servers, actor, permission, path)
}

/** As `authorizeServer`, for a virtual server. */
export async function authorizeVirtual(
  repositories: Pick<Repositories, 'virtuals'>,
  actor: Actor,
  permission: Permission,
  path: string,
): Promise<StoredVirtual> {
  return authorize(repositories.virtuals, actor, permission, path)
}

async function authorize<T extends Target>(
  stored: { find(tenant: TenantId, path: ServerPath): Promise<T | undefined> },
  actor: Actor,
  permission: Permission,
  path: string,
): Promise<T> {
  const parsed = ServerPath.safeParse(path)
  if (!parsed.success) throw notFoundServer(path)
  const found = await stored.find(actor.principal.tenant, parsed.data)
  if (found === undefined) throw notFoundServer(path)
  requirePermission(actor, permission, found)
  return found
}
