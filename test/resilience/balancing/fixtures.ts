import { EndpointId } from '../../../src/core/index.ts'
import {
  type BalancerName,
  type Candidate,
  type Picking,
  pickEndpoint,
} from '../../../src/resilience/balancing/index.ts'
import { createRotation } from '../../../src/resilience/balancing/rotation.ts'

/** An endpoint with a name that a test can read. */
export interface Named extends Candidate {
  readonly name: string
  readonly breaker: 'closed' | 'open' | 'half_open'
}

const idOf = (name: string): EndpointId =>
  EndpointId.parse(
    `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').padStart(12, '0').slice(-12)}`,
  )

export const endpoint = (name: string, part: Partial<Named> = {}): Named => ({
  id: idOf(name),
  name,
  weight: 1,
  health: 'healthy',
  breaker: 'closed',
  ...part,
})

/** Chance that a seed decides (mulberry32). */
function seeded(seed: number): Picking['random'] {
  let state = seed
  return {
    fraction() {
      state = (state + 0x6d2b79f5) | 0
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    },
  }
}

/** Calls in flight and latencies, by name. */
export function loads(
  inFlight: Record<string, number> = {},
  latencies: Record<string, number> = {},
): Picking['load'] {
  const byId = <T>(of: Record<string, T>) =>
    new Map(Object.entries(of).map(([name, value]) => [idOf(name), value]))
  const [calls, ms] = [byId(inFlight), byId(latencies)]
  return { inFlight: (id) => calls.get(id) ?? 0, latencyMs: (id) => ms.get(id) }
}

/** A server that picks: each pick is by a client of its own unless the test says whose it is. */
export function picker(name: BalancerName, part: Partial<Picking> & { seed?: number } = {}) {
  const { seed = 1, ...given } = part
  let clients = 0
  const picking: Picking = {
    now: 1_000_000,
    random: seeded(seed),
    load: loads(),
    rotation: createRotation(),
    key: () => `client-${clients++}`,
    ...given,
  }
  return (candidates: readonly Named[], more: Partial<Picking> = {}): string => {
    const phaseOf = (id: EndpointId) =>
      candidates.find((candidate) => candidate.id === id)?.breaker ?? 'closed'
    return pickEndpoint(name, candidates, phaseOf, { ...picking, ...more })?.name ?? 'none'
  }
}

/** How often each is picked. */
export function counts(picks: readonly string[]): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const name of picks) counted[name] = (counted[name] ?? 0) + 1
  return counted
}

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
