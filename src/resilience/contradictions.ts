import type { ResilienceSettings } from './settings.ts'

/** What else of a server its settings depend on. */
export interface SettingsOwner {
  /** How long it may be silent. */
  readonly timeoutMs: number
}

/** What holds where a server says nothing, as far as its own settings depend on it. */
export interface ResilienceDefaults {
  /** How long a breaker stays open, ms. */
  readonly breakerOpenMs: number
  /** Calls at one endpoint; 0 for no bound. */
  readonly endpointConcurrent: number
}

/** A setting that would do nothing beside the others, and why. */
export interface Contradiction {
  readonly path: string
  readonly message: string
}

/**
 * Settings that are good each by itself and cannot hold together. Only for what is written anew:
 * what was stored when the deployment had other defaults is read as it is.
 */
export function contradictionsIn(
  settings: ResilienceSettings,
  owner: SettingsOwner,
  defaults: ResilienceDefaults,
): readonly Contradiction[] {
  return RULES.flatMap((rule) => rule(settings, defaults, owner) ?? [])
}

type Rule = (
  settings: ResilienceSettings,
  defaults: ResilienceDefaults,
  owner: SettingsOwner,
) => Contradiction | undefined

const RULES: readonly Rule[] = [
  ({ balancer, hashBy }) =>
    hashBy !== undefined && balancer !== 'consistent-hash'
      ? { path: 'hashBy', message: 'needs the balancer "consistent-hash"' }
      : undefined,
  ({ hedgeAfterMs = 0, deadlineMs, toolDeadlinesMs = {} }, _defaults, { timeoutMs }) => {
    const deadline = Math.max(deadlineMs ?? Infinity, ...Object.values(toolDeadlinesMs))
    const longest = Math.min(timeoutMs, deadline)
    const which = longest === timeoutMs ? 'timeoutMs' : 'the deadline'
    return hedgeAfterMs >= longest
      ? { path: 'hedgeAfterMs', message: `must be less than ${which}, ${longest} ms` }
      : undefined
  },
  ({ hedgeAfterMs, retries }) =>
    hedgeAfterMs !== undefined && retries?.budgetPercent === 0
      ? { path: 'retries.budgetPercent', message: 'must not be 0: it pays for second copies' }
      : undefined,
  ({ bulkhead }) =>
    bulkhead?.queueMs !== undefined && bulkhead.maxQueued === 0
      ? { path: 'bulkhead.queueMs', message: 'needs a maxQueued above 0' }
      : undefined,
  ({ bulkhead }, { endpointConcurrent }) =>
    bulkhead !== undefined && bulkhead.maxConcurrent === undefined && endpointConcurrent === 0
      ? {
          path: 'bulkhead.maxConcurrent',
          message: 'must be named: without a bound nobody waits',
        }
      : undefined,
  ({ breaker }, { breakerOpenMs }) =>
    breaker?.maxOpenMs !== undefined && breaker.maxOpenMs < (breaker.openMs ?? breakerOpenMs)
      ? {
          path: 'breaker.maxOpenMs',
          message: `must not be less than openMs, ${breaker.openMs ?? breakerOpenMs} ms`,
        }
      : undefined,
]
