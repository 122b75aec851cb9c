import { type CallContext, toGatewayError } from '../../core/index.ts'
import type { Events } from '../../observability/index.ts'
import {
  type DiscoverUpstream,
  type Discovery,
  isLegacyTried,
  type ProbeRecord,
  type Probes,
  type ProbeTarget,
  transportsToTry,
} from '../../registry/index.ts'
import type { Breakers } from '../../resilience/index.ts'
import { CATALOG_FRESH_MS, type CatalogTarget, type RefreshOutcome } from './live-catalog.ts'
import { probeRecord } from './probe-record.ts'

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
 * Asks a server's endpoints one after the other what they offer, until one answers, and stores it;
 * none when somebody did so lately, which isolates with an older index do not know, unless the
 * server itself says that it has changed since.
 * What each of them did is told to its breaker and counts as a probe; one whose breaker is open is
 * not asked. Throws only for faults of the gateway itself.
 */
export async function refreshCatalog(
  deps: RefreshCatalogDeps,
  ctx: CallContext,
  { serverId, endpointIds }: CatalogTarget,
  hasChanged = false,
): Promise<RefreshOutcome> {
  const loaded = (await deps.probes.loadProbeTargets(ctx, endpointIds)).filter(
    (target) => target.serverId === serverId,
  )
  const checkedAt = loaded[0]?.discoveredAt ?? null
  if (!hasChanged && checkedAt !== null && ctx.clock.now() - checkedAt < CATALOG_FRESH_MS) {
    return { kind: 'unchanged', checkedAt }
  }
  const records: ProbeRecord[] = []
  let reason = 'It has no endpoint that could be asked.'
  let found: { readonly target: ProbeTarget; readonly discovery: Discovery } | undefined
  for (const id of endpointIds) {
    const target = loaded.find(({ endpointId }) => endpointId === id)
    if (!target) continue
    const answer = await ask(deps, ctx, target, hasChanged)
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
  hasChanged: boolean,
): Promise<Answer> {
  const { endpointId, url, transportChoice, headers } = target
  const admission = await breakers.admit(ctx, endpointId)
  if (admission.kind === 'open') return { kind: 'skipped' }
  const startedAt = ctx.clock.now()
  const timeoutMs = Math.min(target.timeoutMs, MAX_REQUEST_MS)
  try {
    const triesLegacy = isLegacyTried(target.upstream)
    const transports = transportsToTry(url, transportChoice, target)
    const address = { endpoint: endpointId, url, headers, timeoutMs }
    // A server that says that a list has changed does not speak of its eras.
    const known = hasChanged ? { known: target.upstream } : {}
    const discovery = await discover(ctx, address, { transports, triesLegacy, ...known })
    breakers.record(ctx, endpointId, 'success', admission.probe)
    const now = ctx.clock.now()
    const outcome = { kind: 'up', latencyMs: now - startedAt } as const
    // A whole catalogue was read: unlike one lucky probe, that decides at once.
    const record = { ...probeRecord(target, outcome, now), health: 'healthy' } as const
    return { kind: 'answered', record, discovery }
  } catch (thrown) {
    breakers.record(ctx, endpointId, 'failure', admission.probe)
    const reason = toGatewayError(thrown).message
    const record = probeRecord(target, { kind: 'down', error: reason }, ctx.clock.now())
    return { kind: 'failed', record, reason }
  }
}

async function store(
  { probes }: RefreshCatalogDeps,
  ctx: CallContext,
  target: ProbeTarget,
  discovery: Discovery,
): Promise<RefreshOutcome> {
  const { changed } = await probes.storeCatalog(ctx, target, discovery)
  return changed ? { kind: 'stored' } : { kind: 'unchanged', checkedAt: ctx.clock.now() }
}
