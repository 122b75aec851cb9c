import { EndpointId } from '../../src/core/index.ts'
import type { GatewayEvent } from '../../src/observability/index.ts'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  type BreakerState,
  CLOSED,
  changeBetween,
  type Outcomes,
  phaseOf,
} from '../../src/resilience/breaker.ts'
import {
  createBreakers,
  DEFAULT_BREAKER,
  type EndpointBreakers,
} from '../../src/resilience/index.ts'

/** When a world begins, in epoch ms. */
export const T = 1_000_000
export const { failureThreshold, openMs } = DEFAULT_BREAKER
/** The endpoint with this number. */
export const endpointOf = (index: number): EndpointId =>
  EndpointId.parse(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`)
export const one = endpointOf(1)
export const two = endpointOf(2)

interface Asking {
  readonly now: number
  readonly config?: BreakerConfig
}

function changeOf(before: BreakerState, after: BreakerState) {
  const change = changeBetween(before, after)
  return change === undefined ? {} : { change }
}

/** The real reducer behind a fake object per endpoint, and any number of isolates before it. */
export function world() {
  const states = new Map<EndpointId, BreakerState>()
  const events: GatewayEvent[] = []
  const behind: Promise<unknown>[] = []
  const calls: string[] = []
  const world = { now: T, isDown: false }
  const object = (endpoint: EndpointId) => {
    const read = () => states.get(endpoint) ?? CLOSED
    const answer = async (name: string): Promise<void> => {
      calls.push(name)
      await Promise.resolve()
      if (world.isDown) throw new Error('the object is away')
    }
    return {
      async report({ now, config, ...outcomes }: Outcomes & Asking) {
        await answer('report')
        const before = read()
        const state = applyOutcomes(before, outcomes, config ?? DEFAULT_BREAKER, now)
        states.set(endpoint, state)
        return { state, ...changeOf(before, state) }
      },
      async acquireProbe({ now, config }: Asking) {
        await answer('acquireProbe')
        const before = read()
        const probe = acquireProbe(before, config ?? DEFAULT_BREAKER, now)
        states.set(endpoint, probe.state)
        return { ...probe, ...changeOf(before, probe.state) }
      },
      async phase({ now }: Asking) {
        await answer('phase')
        return phaseOf(read(), DEFAULT_BREAKER, now)
      },
    }
  }
  const isolate = () =>
    createBreakers({ config: DEFAULT_BREAKER, events: { emit: (e) => events.push(e) }, object })
  const ctx = {
    clock: { now: () => world.now },
    random: { fraction: () => 0, uuid: () => '', bytes: (n: number) => new Uint8Array(n) },
    requestId: 'request-1',
    waitUntil: (work: Promise<unknown>) => void behind.push(work),
  }
  const settle = () => Promise.all(behind.splice(0))
  const fail = async (breakers: EndpointBreakers, times: number, endpoint = one): Promise<void> => {
    for (let count = 0; count < times; count += 1) {
      breakers.record(ctx, endpoint, 'failure')
      await settle()
    }
  }
  return { world, events, calls, isolate, ctx, settle, fail, states }
}
