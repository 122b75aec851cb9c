import type { CallContext } from '../../core/index.ts'
import { type Actor, canPermission } from '../../policy/index.ts'
import { authorizeServer } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type HealthOut, toInstant } from '../views.ts'

/**
 * What the last probes found, without probing. Errors are shown to those who may check the
 * server's health. Throws `not_found`.
 */
export function createServerHealth(deps: Pick<VerbDeps, 'repositories'>) {
  return async function serverHealth(
    _ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<HealthOut> {
    const server = await authorizeServer(deps.repositories, actor, 'list_service', path)
    const showsErrors = canPermission(actor, 'health_check_service', server)
    return {
      path: server.path,
      health: server.health,
      endpoints: server.endpoints.map((endpoint) => ({
        id: endpoint.id,
        health: endpoint.health,
        consecutiveFailures: endpoint.consecutiveFailures,
        lastLatencyMs: endpoint.lastLatencyMs,
        lastProbedAt: endpoint.lastProbedAt === null ? null : toInstant(endpoint.lastProbedAt),
        lastError: showsErrors ? endpoint.lastError : null,
      })),
    }
  }
}
