/** Health of an endpoint as probes see it; hysteresis keeps one lost packet from flapping it. */

export type Health = 'healthy' | 'unhealthy' | 'unknown'

export interface HealthState {
  readonly health: Health
  /** Consecutive probes that contradicted `health`. */
  readonly against: number
}

/** Consecutive probes that change the verdict. */
const HEALTH_THRESHOLDS = { down: 3, up: 2 } as const

/** The state after one more probe. The first probe ever decides at once. */
export function nextHealth(state: HealthState, probe: 'up' | 'down'): HealthState {
  const seen: Health = probe === 'up' ? 'healthy' : 'unhealthy'
  if (state.health === 'unknown') return { health: seen, against: 0 }
  if (state.health === seen) return { health: seen, against: 0 }
  const against = state.against + 1
  return against >= HEALTH_THRESHOLDS[probe]
    ? { health: seen, against: 0 }
    : { health: state.health, against }
}
