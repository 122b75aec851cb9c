import type { CallContext } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import { healthOf } from '../rows.ts'
import { withOutcome } from '../server-endpoints.ts'
import { isLegacyTried } from '../server-record.ts'
import { emitCatalogChange, foundColumns } from '../update-server.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type ServerOut, serverOutOf } from '../views.ts'

/**
 * Asks the upstream again and stores what it offers now. Throws `not_found`, `forbidden`,
 * `upstream_failed`, and `upstream_unreachable`, which leaves what is stored. Change log:
 * `server.refresh`.
 */
export function createRefreshServer(deps: VerbDeps) {
  return async function refreshServer(
    ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<ServerOut> {
    // As in S-B, whoever may check the health of a server may refresh it.
    const server = await authorizeServer(deps.repositories, actor, 'health_check_service', path)
    const { tenant, id, headersSealed, timeoutMs } = server
    const outcome = await deps.discoverEndpoints(ctx, {
      endpoints: server.endpoints,
      // From the beginning: a verdict that still works need not be the best one any more.
      choice: server.transportChoice,
      headers: await deps.headers.open(tenant, id, headersSealed),
      timeoutMs,
      allowUnreachable: false,
      triesLegacy: isLegacyTried(server.upstream),
    })
    const now = ctx.clock.now()
    const endpoints = withOutcome(server.endpoints, outcome, now)
    const catalog = outcome.found?.catalog
    const changes = {
      health: healthOf(endpoints),
      ...(outcome.found && foundColumns(outcome.found, now)),
    }
    await deps.repositories.servers.update(
      ctx,
      server,
      changes,
      { endpoints, catalog },
      {
        tenant,
        actor: actor.principal.key,
        action: 'server.refresh',
        target: server.path,
        summary: { changed: catalog?.hash !== server.catalogHash, discovered: catalog?.counts },
      },
    )
    deps.snapshots.drop(tenant)
    emitCatalogChange(deps, server, catalog?.hash)
    return serverOutOf(actor, { ...server, ...changes, endpoints, updatedAt: now })
  }
}
