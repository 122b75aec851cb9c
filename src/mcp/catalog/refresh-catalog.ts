import { type CallContext, toGatewayError } from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import {
  type DiscoverUpstream,
  type Discovery,
  isLegacyTried,
  type ProbeRecord,
  type Probes,
  type ProbeTarget,
} from '../../registry/index.ts'
import { type Breakers, nextHealth } from '../../resilience/index.ts'
import type { CatalogTarget, RefreshOutcome } from './live-catalog.ts'

/** What reading a server's catalogue needs of the rest of the gateway. */
export interface RefreshCatalogDeps {
  readonly probes: Pick<Probes, 'loadProbeTargets' | 'recordProbes' | 'storeCatalog'>
  readonly discover: DiscoverUpstream
  readonly breakers: Pick<Breakers, 'admit' | 'record'>
  readonly events: Events
}

/** For one request; a server that needs longer than this is not up. */
const MAX_REQUEST_MS = 15_000

/**
 * Asks a server's endpoints one after the other what they offer, until one answers, and stores it.
 * What each of them did is told to its breaker and counts as a probe; one whose breaker is open is
 * not asked. Throws only for faults of the gateway itself.
 */
export async function refreshCatalog(
  deps: RefreshCatalogDeps,
  ctx: CallContext,
  { serverId, endpointIds }: CatalogTarget,
): Promise<RefreshOutcome> {
  const loaded = await deps.probes.loadProbeTargets(ctx, endpointIds)
  const records: ProbeRecord[] = []
  let reason = 'It has no endpoint that could be asked.'
  let found: { readonly target: ProbeTarget; readonly discovery: Discovery } | undefined
  for (const id of endpointIds) {
    const target = loaded.find((one) => one.endpointId === id && one.serverId === serverId)
    if (!target) continue
    const answer = await ask(deps, ctx, target)
    if (answer.kind === 'skipped') {
      reason = 'It failed again and again, and is left alone for a while.'
      continue
    }
    records.push(answer.record)
    if (answer.kind === 'answered') {
      found = { target, discovery: answer.discovery }
      break
    }
    reason = answer.reason
  }
  // Before the catalogue: whoever sees that one has to see that the server is up again.
  if (records.length > 0) await deps.probes.recordProbes(ctx, records)
  return found ? store(deps, ctx, found.target, found.discovery) : { kind: 'failed', reason }
}

type Answer =
  | { readonly kind: 'skipped' }
  | { readonly kind: 'answered'; readonly record: ProbeRecord; readonly discovery: Discovery }
  | { readonly kind: 'failed'; readonly record: ProbeRecord; readonly reason: string }

async function ask(
  { breakers, discover }: RefreshCatalogDeps,
  ctx: CallContext,
  target: ProbeTarget,
): Promise<Answer> {
  const { endpointId, url, headers } = target
  const admission = await breakers.admit(ctx, endpointId)
  if (admission.kind === 'open') return { kind: 'skipped' }
  const startedAt = ctx.clock.now()
  const timeoutMs = Math.min(target.timeoutMs, MAX_REQUEST_MS)
  try {
    const triesLegacy = isLegacyTried(target.upstream)
    const discovery = await discover(ctx, { url, headers, timeoutMs }, { triesLegacy })
    breakers.record(ctx, endpointId, 'success')
    return { kind: 'answered', record: upRecord(target, startedAt, ctx.clock.now()), discovery }
  } catch (thrown) {
    breakers.record(ctx, endpointId, 'failure')
    const reason = toGatewayError(thrown).message
    return { kind: 'failed', record: downRecord(target, reason, ctx.clock.now()), reason }
  }
}

async function store(
  { probes }: RefreshCatalogDeps,
  ctx: CallContext,
  target: ProbeTarget,
  discovery: Discovery,
): Promise<RefreshOutcome> {
  const { changed } = await probes.storeCatalog(ctx, target, discovery)
  return { kind: changed ? 'stored' : 'unchanged' }
}

/** A whole catalogue was read: unlike one lucky probe, that decides at once. */
function upRecord(target: ProbeTarget, startedAt: number, probedAt: number): ProbeRecord {
  return {
    endpointId: target.endpointId,
    health: 'healthy',
    consecutiveFailures: 0,
    consecutiveSuccesses: target.consecutiveSuccesses + 1,
    latencyMs: probedAt - startedAt,
    probedAt,
    error: null,
  }
}

function downRecord(target: ProbeTarget, error: string, probedAt: number): ProbeRecord {
  const { health, consecutiveFailures, consecutiveSuccesses } = target
  const against = health === 'healthy' ? consecutiveFailures : consecutiveSuccesses
  return {
    endpointId: target.endpointId,
    health: nextHealth({ health, against }, 'down').health,
    consecutiveFailures: consecutiveFailures + 1,
    consecutiveSuccesses: 0,
    latencyMs: null,
    probedAt,
    error,
  }
}
