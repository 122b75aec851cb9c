import { describe, expect, it } from 'vitest'
import { nextStep } from '../../../scripts/chaos/clients/plan.ts'
import { createRandom, seedFor } from '../../../scripts/chaos/random.ts'
import { makeSchedule, type ScheduleOptions } from '../../../scripts/chaos/schedule.ts'
import { FAULT_KINDS } from '../../support/faults.ts'

const SERVERS = ['a', 'b', 'c', 'd']
const options = (seed: number, loadMs: number): ScheduleOptions => ({
  seed,
  loadMs,
  servers: SERVERS,
  tenants: ['north', 'south'],
})
const SEEDS = Array.from({ length: 50 }, (_, index) => index)

describe('the schedule of a run', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(makeSchedule(options(3, 180_000))).toEqual(makeSchedule(options(3, 180_000)))
    expect(makeSchedule(options(3, 180_000))).not.toEqual(makeSchedule(options(4, 180_000)))
  })

  it.each([22_000, 180_000])('of %d ms has every kind of fault, whatever the seed', (loadMs) => {
    for (const seed of SEEDS) {
      const kinds = makeSchedule(options(seed, loadMs)).flatMap((action) =>
        action.kind === 'fault' ? [action.fault] : [],
      )
      expect(new Set(kinds)).toEqual(new Set(FAULT_KINDS))
    }
  })

  it('ends each fault before the next of its server, and all of them before the end', () => {
    for (const seed of SEEDS) {
      const schedule = makeSchedule(options(seed, 22_000))
      for (const server of SERVERS) {
        const own = schedule.flatMap((action) =>
          (action.kind === 'fault' || action.kind === 'heal') && action.server === server
            ? [action.kind]
            : [],
        )
        expect(own.filter((_, index) => index % 2 === 0)).not.toContain('heal')
        expect(own.at(-1)).toBe('heal')
      }
      expect(schedule.at(-1)?.atMs).toBeLessThanOrEqual(19_000)
    }
  })

  it('turns on what it turned off, and never while the gateway restarts', () => {
    for (const seed of SEEDS) {
      const schedule = makeSchedule(options(seed, 180_000))
      const toggles = schedule.flatMap((action) => (action.kind === 'toggle' ? [action] : []))
      expect(toggles.filter(({ enabled }) => enabled)).toHaveLength(4)
      expect(toggles.filter(({ enabled }) => !enabled)).toHaveLength(4)
      for (const { atMs } of toggles) expect(Math.abs(atMs - 90_000)).toBeGreaterThanOrEqual(1_500)
    }
  })

  it('restarts once in the middle, and rotates the key of the provider before and after', () => {
    const kinds = makeSchedule(options(1, 180_000)).flatMap(({ kind }) =>
      kind === 'restart' || kind === 'rotate_idp_key' ? [kind] : [],
    )
    expect(kinds).toEqual(['rotate_idp_key', 'restart', 'rotate_idp_key'])
  })
})

describe('what a client does', () => {
  const world = { servers: SERVERS, isolates: 2, era: 'legacy' } as const
  const steps = (seed: number, name: string) => {
    const random = createRandom(seedFor(seed, name))
    return Array.from({ length: 500 }, () => nextStep(random, world))
  }

  it('follows from the seed and its name', () => {
    expect(steps(1, 'ann')).toEqual(steps(1, 'ann'))
    expect(steps(1, 'ann')).not.toEqual(steps(2, 'ann'))
    expect(steps(1, 'ann')).not.toEqual(steps(1, 'ben'))
  })

  it('is a bit of everything', () => {
    const kinds = new Set(steps(1, 'ann').map(({ kind }) => kind))
    expect(kinds).toEqual(new Set(['call', 'list', 'end_session', 'trespass']))
    expect(new Set(steps(1, 'ann').map(({ server }) => server))).toEqual(new Set(SERVERS))
  })
})

describe('chance', () => {
  it('is spread evenly over its range', () => {
    const random = createRandom(9)
    const values = Array.from({ length: 20_000 }, () => random.whole(1, 4))
    for (const value of [1, 2, 3, 4]) {
      const share = values.filter((one) => one === value).length / values.length
      expect(share).toBeGreaterThan(0.23)
      expect(share).toBeLessThan(0.27)
    }
  })

  it('shuffles without losing anything', () => {
    expect(createRandom(2).shuffle(SERVERS).toSorted()).toEqual(SERVERS)
  })
})
