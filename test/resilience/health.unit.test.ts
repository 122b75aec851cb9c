import { describe, expect, it } from 'vitest'
import { type HealthState, nextHealth } from '../../src/resilience/health.ts'

/** u = a probe that found the endpoint up, d = down; the verdict after each. */
function verdicts(probes: string, start: HealthState = { health: 'unknown', against: 0 }) {
  let state = start
  return [...probes].map((probe) => {
    state = nextHealth(state, probe === 'u' ? 'up' : 'down')
    return state.health === 'healthy' ? 'H' : 'U'
  })
}

describe('nextHealth', () => {
  it.each([
    ['the first probe decides at once', 'u', 'H'],
    ['the first probe decides at once, down too', 'd', 'U'],
    ['three failures in a row make it unhealthy', 'uddd', 'HHHU'],
    ['two in a row do not', 'uddudd', 'HHHHHH'],
    ['two successes in a row make it healthy', 'duu', 'UUH'],
    ['one does not', 'dudud', 'UUUUU'],
    ['it comes back and goes again', 'udddu' + 'u' + 'ddd', 'HHHUUHHHU'],
  ])('%s: %s', (_why, probes, expected) => {
    expect(verdicts(probes).join('')).toBe(expected)
  })
})
