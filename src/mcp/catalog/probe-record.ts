import type { ProbeRecord, ProbeTarget } from '../../registry/index.ts'
import { nextHealth } from '../../resilience/index.ts'
import type { ProbeOutcome } from '../upstream/probe.ts'

/** What is stored of one probe: its outcome, and the health that follows from it and the last. */
export function probeRecord(
  target: ProbeTarget,
  outcome: ProbeOutcome,
  probedAt: number,
): ProbeRecord {
  const { endpointId, health, consecutiveFailures, consecutiveSuccesses } = target
  const against = health === 'healthy' ? consecutiveFailures : consecutiveSuccesses
  const isUp = outcome.kind === 'up'
  const isDecisive = outcome.kind === 'down' && outcome.isDecisive === true
  return {
    endpointId,
    health: isDecisive ? 'unhealthy' : nextHealth({ health, against }, outcome.kind).health,
    consecutiveFailures: isUp ? 0 : consecutiveFailures + 1,
    consecutiveSuccesses: isUp ? consecutiveSuccesses + 1 : 0,
    latencyMs: isUp ? outcome.latencyMs : null,
    probedAt,
    error: isUp ? null : outcome.error,
  }
}
