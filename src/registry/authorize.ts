import { ServerPath } from '../core/index.ts'
import { type Actor, notFoundServer, type Permission, requirePermission } from '../policy/index.ts'
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
  const parsed = ServerPath.safeParse(path)
  if (!parsed.success) throw notFoundServer(path)
  const server = await repositories.servers.find(actor.principal.tenant, parsed.data)
  if (server === undefined) throw notFoundServer(path)
  requirePermission(actor, permission, server)
  return server
}

/** As `authorizeServer`, for a virtual server. */
export async function authorizeVirtual(
  repositories: Pick<Repositories, 'virtuals'>,
  actor: Actor,
  permission: Permission,
  path: string,
): Promise<StoredVirtual> {
  const parsed = ServerPath.safeParse(path)
  if (!parsed.success) throw notFoundServer(path)
  const virtual = await repositories.virtuals.find(actor.principal.tenant, parsed.data)
  if (virtual === undefined) throw notFoundServer(path)
  requirePermission(actor, permission, virtual)
  return virtual
}
