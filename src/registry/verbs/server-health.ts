import type { CallContext, EndpointId } from '../../core/index.ts'
import { type Actor, canPermission } from '../../policy/index.ts'
import type { BreakerPhase } from '../../resilience/index.ts'
import { authorizeServer } from '../authorize.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type HealthOut, toInstant } from '../views.ts'

interface ServerHealthDeps extends Pick<VerbDeps, 'repositories'> {
  readonly breakerPhase: (
    ctx: CallContext,
    endpoint: EndpointId,
  ) => Promise<BreakerPhase | undefined>
}

/**
 * What the last probes found and what the breakers say, without probing. Errors are shown to those who may check the
 * server's health. Throws `not_found`.
 */
export function createServerHealth(deps: ServerHealthDeps) {
  return async function serverHealth(
    ctx: CallContext,
    actor: Actor,
    path: string,
  ): Promise<HealthOut> {
    const server = await authorizeServer(deps.repositories, actor, 'list_service', path)
    const showsErrors = canPermission(actor, 'health_check_service', server)
    const phases = await Promise.all(server.endpoints.map(({ id }) => deps.breakerPhase(ctx, id)))
    return {
      path: server.path,
      health: server.health,
      endpoints: server.endpoints.map((endpoint, index) => ({
        id: endpoint.id,
        health: endpoint.health,
        consecutiveFailures: endpoint.consecutiveFailures,
        lastLatencyMs: endpoint.lastLatencyMs,
        lastProbedAt: endpoint.lastProbedAt === null ? null : toInstant(endpoint.lastProbedAt),
        lastError: showsErrors ? endpoint.lastError : null,
        breaker: phases[index] ?? 'unknown',
      })),
    }
  }
}
