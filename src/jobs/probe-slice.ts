import type { CallContext, EndpointId, HostVerdicts } from '../core/index.ts'
import { toGatewayError } from '../core/index.ts'
import { type ProbeOutcome, type ProbeUpstream, probeRecord } from '../mcp/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import {
  type DiscoverUpstream,
  type Discovery,
  isLegacyTried,
  type ProbeRecord,
  type Probes,
  type ProbeTarget,
  transportsToTry,
} from '../registry/index.ts'
import type { EndpointBreakers } from '../resilience/index.ts'

/** What a probe object needs of the rest of the gateway. */
export interface ProbeSliceDeps {
  readonly probes: Omit<Probes, 'storeFacts'>
  readonly probe: ProbeUpstream
  readonly discover: DiscoverUpstream
  readonly breakers: EndpointBreakers
  readonly events: Events
  /** What names lead to; absent where no resolver is configured. */
  readonly hosts?: Pick<HostVerdicts, 'ask'>
}

/** A server that answers later than this is not healthy, whatever its callers may wait for. */
const PROBE_TIMEOUT_MS = 10_000
/** Fetches of one invocation that wait for headers at once; six is the platform's limit. */
const CONCURRENCY = 4

/** Fetches, D1 and object calls of one invocation, on the free plan. */
const MAX_SUBREQUESTS = 50
/** Loading the targets, and storing what was found: a read and a batch. */
const SUBREQUESTS_PER_SLICE = 3
/**
 * What one endpoint may take, its breaker included. A catalogue is 8 fetches and 2 D1 calls when
 * every list is one page; the rest is for lists that are longer.
 */
const SUBREQUESTS = { modern: 2, legacy: 4, catalog: 15 } as const
/** A question for each family of addresses. */
const SUBREQUESTS_OF_NAME = 2

/**
 * Probes as many of the endpoints as one invocation may, tells the breakers, and stores what was
 * found. With `withCatalog` an endpoint is asked for everything it offers, and the catalogue
 * replaced when its hash changed. Gives the endpoints that need no probe any more in this round.
 */
export async function probeSlice(
  deps: ProbeSliceDeps,
  ctx: CallContext,
  ids: readonly EndpointId[],
  withCatalog: boolean,
): Promise<EndpointId[]> {
  const loaded = await deps.probes.loadProbeTargets(ctx, ids)
  const extra = deps.hosts ? SUBREQUESTS_OF_NAME : 0
  const costOf = (target: ProbeTarget) => costOfProbe(target, withCatalog) + extra
  const targets = affordable(loaded, costOf)
  let budget = MAX_SUBREQUESTS - SUBREQUESTS_PER_SLICE
  for (const target of targets) budget -= costOf(target)
  /** Whom this one cannot afford, the next round that reads catalogues asks again. */
  const mayAskAgain = (): boolean => {
    budget -= SUBREQUESTS.catalog
    return budget >= 0
  }
  const records: ProbeRecord[] = []
  const probe = (target: ProbeTarget) => probeOne(deps, ctx, target, withCatalog, mayAskAgain)
  for (let at = 0; at < targets.length; at += CONCURRENCY) {
    const batch = targets.slice(at, at + CONCURRENCY)
    records.push(...(await Promise.all(batch.map(probe))))
  }
  if (records.length > 0) await deps.probes.recordProbes(ctx, records)
  const left = new Set(loaded.slice(targets.length).map(({ endpointId }) => endpointId))
  return ids.filter((id) => !left.has(id))
}

function affordable(
  targets: readonly ProbeTarget[],
  costOf: (target: ProbeTarget) => number,
): ProbeTarget[] {
  let left = MAX_SUBREQUESTS - SUBREQUESTS_PER_SLICE
  return targets.filter((target) => {
    left -= costOf(target)
    return left >= 0
  })
}

function costOfProbe({ upstream }: ProbeTarget, withCatalog: boolean): number {
  if (withCatalog || upstream.eras === 'unknown') return SUBREQUESTS.catalog
  return upstream.eras === 'legacy' ? SUBREQUESTS.legacy : SUBREQUESTS.modern
}

async function probeOne(
  deps: ProbeSliceDeps,
  ctx: CallContext,
  target: ProbeTarget,
  withCatalog: boolean,
  mayAskAgain: () => boolean,
): Promise<ProbeRecord> {
  const { endpointId: endpoint, path: server, url, transport, headers } = target
  const wrong = await deps.hosts?.ask(url)
  if (wrong !== undefined) {
    const error = `The address ${wrong}.`
    const outcome = { kind: 'down', error, isDecisive: true } as const
    return probeRecord(target, outcome, ctx.clock.now())
  }
  const timeoutMs = Math.min(target.timeoutMs, PROBE_TIMEOUT_MS)
  const address = { endpoint, url, headers, timeoutMs }
  const { eras } = target.upstream
  const isWhole = withCatalog || eras === 'unknown'
  const probed = isWhole
    ? undefined
    : await deps.probe(ctx, { ...address, server, transport, eras })
  // What was refused as one refuses another transport is asked again, from the beginning.
  const isDoubted = probed?.kind === 'down' && probed.speaksOfAnother && mayAskAgain()
  const outcome = probed && !isDoubted ? probed : await probeByCatalog(deps, ctx, target, address)
  deps.breakers.record(ctx, target.endpointId, outcome.kind === 'up' ? 'success' : 'failure')
  return probeRecord(target, outcome, ctx.clock.now())
}

async function probeByCatalog(
  deps: ProbeSliceDeps,
  ctx: CallContext,
  target: ProbeTarget,
  address: Parameters<DiscoverUpstream>[1],
): Promise<ProbeOutcome> {
  const startedAt = ctx.clock.now()
  let discovery: Discovery
  try {
    const triesLegacy = isLegacyTried(target.upstream)
    const transports = transportsToTry(target.url, target.transportChoice, target)
    discovery = await deps.discover(ctx, address, { transports, triesLegacy })
  } catch (thrown) {
    return { kind: 'down', error: toGatewayError(thrown).message }
  }
  const latencyMs = ctx.clock.now() - startedAt
  try {
    await deps.probes.storeCatalog(ctx, target, discovery)
  } catch (thrown) {
    // It answered: what cannot be stored says nothing of its health.
    emitFault(deps.events, ctx, 'probe.catalog', thrown)
  }
  return { kind: 'up', latencyMs }
}
