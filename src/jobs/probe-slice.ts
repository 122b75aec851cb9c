import type { CallContext, EndpointId } from '../core/index.ts'
import { toGatewayError } from '../core/index.ts'
import type { ProbeOutcome, ProbeUpstream } from '../mcp/index.ts'
import type { DiscoverUpstream, ProbeRecord, Probes, ProbeTarget } from '../registry/index.ts'
import { type Breakers, nextHealth } from '../resilience/index.ts'

/** What a probe object needs of the rest of the gateway. */
export interface ProbeSliceDeps {
  readonly probes: Probes
  readonly probe: ProbeUpstream
  readonly discover: DiscoverUpstream
  readonly breakers: Breakers
}

/** A server that answers later than this is not healthy, whatever its callers may wait for. */
const PROBE_TIMEOUT_MS = 10_000
/** Fetches of one invocation that wait for headers at once; six is the platform's limit. */
const CONCURRENCY = 4

/**
 * Probes some endpoints, tells the breakers, and stores what was found. With `withCatalog` an
 * endpoint is asked for everything it offers, and the catalogue replaced when its hash changed.
 */
export async function probeSlice(
  deps: ProbeSliceDeps,
  ctx: CallContext,
  ids: readonly EndpointId[],
  withCatalog: boolean,
): Promise<void> {
  const targets = await deps.probes.loadProbeTargets(ctx, ids)
  const records: ProbeRecord[] = []
  for (let at = 0; at < targets.length; at += CONCURRENCY) {
    const batch = targets.slice(at, at + CONCURRENCY)
    records.push(...(await Promise.all(batch.map((one) => probeOne(deps, ctx, one, withCatalog)))))
  }
  if (records.length > 0) await deps.probes.recordProbes(ctx, records)
}

async function probeOne(
  deps: ProbeSliceDeps,
  ctx: CallContext,
  target: ProbeTarget,
  withCatalog: boolean,
): Promise<ProbeRecord> {
  const { url, headers } = target
  const timeoutMs = Math.min(target.timeoutMs, PROBE_TIMEOUT_MS)
  const { eras } = target.upstream
  const outcome =
    withCatalog || eras === 'unknown'
      ? await probeByCatalog(deps, ctx, target, { url, headers, timeoutMs })
      : await deps.probe(ctx, { url, headers, timeoutMs, eras })
  deps.breakers.record(ctx, target.endpointId, outcome.kind === 'up' ? 'success' : 'failure')
  return recordOf(target, outcome, ctx.clock.now())
}

async function probeByCatalog(
  deps: ProbeSliceDeps,
  ctx: CallContext,
  target: ProbeTarget,
  address: Parameters<DiscoverUpstream>[1],
): Promise<ProbeOutcome> {
  const startedAt = ctx.clock.now()
  try {
    const discovery = await deps.discover(ctx, address)
    const latencyMs = ctx.clock.now() - startedAt
    await deps.probes.storeCatalog(ctx, target, discovery)
    return { kind: 'up', latencyMs }
  } catch (thrown) {
    return { kind: 'down', error: toGatewayError(thrown).message }
  }
}

function recordOf(target: ProbeTarget, outcome: ProbeOutcome, probedAt: number): ProbeRecord {
  const isUp = outcome.kind === 'up'
  const against =
    target.health === 'healthy' ? target.consecutiveFailures : target.consecutiveSuccesses
  const next = nextHealth({ health: target.health, against }, outcome.kind)
  return {
    endpointId: target.endpointId,
    health: next.health,
    consecutiveFailures: isUp ? 0 : target.consecutiveFailures + 1,
    consecutiveSuccesses: isUp ? target.consecutiveSuccesses + 1 : 0,
    latencyMs: isUp ? outcome.latencyMs : null,
    probedAt,
    error: isUp ? null : outcome.error,
  }
}
