import { type CallContext, EndpointId } from '../core/index.ts'
import type { DiscoveryOutcome } from './discover-endpoints.ts'
import type { StoredEndpoint } from './rows.ts'

/** The endpoints of an input; one whose URL is stored already keeps its id and its health. */
export function mergeEndpoints(
  ctx: CallContext,
  wanted: readonly { readonly url: string; readonly weight: number }[],
  stored: readonly StoredEndpoint[],
): StoredEndpoint[] {
  return wanted.map(({ url, weight }, position) => {
    const known = stored.find((endpoint) => endpoint.url === url)
    if (known !== undefined) return { ...known, weight, position }
    return {
      id: EndpointId.parse(ctx.random.uuid()),
      ...{ url, weight, position },
      health: 'unknown',
      consecutiveFailures: 0,
      consecutiveSuccesses: 0,
      lastLatencyMs: null,
      lastProbedAt: null,
      lastError: null,
    }
  })
}

/** The endpoints with what asking each of them showed. */
export function withOutcome(
  endpoints: readonly StoredEndpoint[],
  outcome: DiscoveryOutcome,
  now: number,
): StoredEndpoint[] {
  return endpoints.map((endpoint) => {
    const problem = outcome.problems.get(endpoint.url)
    if (problem === undefined) return endpoint
    const isHealthy = problem === null
    return {
      ...endpoint,
      health: isHealthy ? 'healthy' : 'unhealthy',
      consecutiveFailures: isHealthy ? 0 : endpoint.consecutiveFailures + 1,
      consecutiveSuccesses: isHealthy ? endpoint.consecutiveSuccesses + 1 : 0,
      lastProbedAt: now,
      lastError: problem,
    }
  })
}
