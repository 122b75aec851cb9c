import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../src/core/index.ts'
import { createAddressLimit, type RateLimitBinding } from '../../../src/limits/index.ts'
import type { GatewayEvent } from '../../../src/observability/index.ts'
import { T } from '../world.ts'

const HEADER = 'cf-connecting-ip'
const from = (address: string) => new Headers({ [HEADER]: address })

/** The platform's limiter as it behaves: each key has so many in a minute of the clock. */
function bindingDouble(limit: number, clock: { now(): number }): RateLimitBinding {
  const counts = new Map<string, number>()
  return {
    async limit({ key }) {
      const at = `${key}@${Math.floor(clock.now() / 60_000)}`
      const used = (counts.get(at) ?? 0) + 1
      counts.set(at, used)
      return { success: used <= limit }
    },
  }
}

function limiter(limit: number, kind: 'sketch' | 'binding' | 'none', header?: string) {
  const state = { now: T }
  const clock = { now: () => state.now }
  const events: GatewayEvent[] = []
  const allows = createAddressLimit({
    config: { addressHeader: header ?? HEADER, addressPerMinute: limit },
    ...{ clock, random: systemRandom, events: { emit: (event) => events.push(event) } },
    ...(kind === 'binding' ? { binding: bindingDouble(limit, clock) } : {}),
  })
  return { state, events, allows: async (headers: Headers) => (await allows?.(headers)) ?? true }
}

describe.each(['sketch', 'binding'] as const)('the limit of addresses by the %s', (kind) => {
  it('serves an address up to the limit, and others all the while', async () => {
    const { allows } = limiter(20, kind)
    for (let count = 0; count < 20; count += 1) expect(await allows(from('192.0.2.1'))).toBe(true)
    expect(await allows(from('192.0.2.1'))).toBe(false)
    expect(await allows(from('192.0.2.2'))).toBe(true)
    expect(await allows(from('2001:db8::1'))).toBe(true)
  })

  it('serves it again two minutes later', async () => {
    const { allows, state } = limiter(3, kind)
    for (let count = 0; count < 5; count += 1) await allows(from('192.0.2.1'))
    state.now += 120_000
    expect(await allows(from('192.0.2.1'))).toBe(true)
  })

  it('takes the 64 bits of an IPv6 network for one, however they are written', async () => {
    const { allows } = limiter(3, kind)
    for (const address of ['2001:db8:0:1::1', '2001:DB8:0:1:ffff::2', '2001:0db8::1:0:0:0:3']) {
      expect(await allows(from(address))).toBe(true)
    }
    expect(await allows(from('2001:db8:0:1:a:b:c:d'))).toBe(false)
    expect(await allows(from('2001:db8:0:2::1'))).toBe(true)
    expect(await allows(from('32.1.13.184'))).toBe(true)
  })

  it('takes a mapped IPv4 address for what it is, and the last of a list', async () => {
    const { allows } = limiter(3, kind)
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '9.9.9.9, 192.0.2.1']) {
      expect(await allows(from(address))).toBe(true)
    }
    expect(await allows(from('::ffff:c000:201'))).toBe(false)
  })

  it('takes all who have no address, or nonsense for one, for one', async () => {
    const { allows } = limiter(3, kind)
    const nonsense = ['', '1.2.3', '1:2', '::1::2', '1.2.3.4.5', 'x'.repeat(9_000), '999.1.1.1']
    const answers = []
    for (const address of nonsense) answers.push(await allows(from(address)))
    expect(answers.filter(Boolean)).toHaveLength(3)
    expect(await allows(new Headers())).toBe(false)
  })

  it('agrees with an exact count within the stated error, whoever calls how often', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 30 })), {
          maxLength: 60,
        }),
        async (visits) => {
          const { allows } = limiter(20, kind)
          const exact = new Map<number, number>()
          const served = new Map<number, number>()
          for (const [who, times] of visits) {
            for (let count = 0; count < times; count += 1) {
              exact.set(who, (exact.get(who) ?? 0) + 1)
              const address = `10.0.${who >> 8}.${who & 255}`
              if (await allows(from(address))) served.set(who, (served.get(who) ?? 0) + 1)
            }
          }
          for (const [who, times] of exact) {
            // At most 1,800 requests: an error of a single one is all that e/8192 of them allow.
            expect(served.get(who) ?? 0).toBeLessThanOrEqual(Math.min(20, times))
            expect(served.get(who) ?? 0).toBeGreaterThanOrEqual(Math.min(20, times) - 1)
          }
        },
      ),
      { numRuns: 40, seed: 7 },
    )
  })

  it('tells of a flood once in ten seconds', async () => {
    const { allows, events, state } = limiter(1, kind)
    for (let count = 0; count < 1_000; count += 1) await allows(from('192.0.2.1'))
    expect(events).toEqual([{ type: 'address_limited', refused: 1 }])
    state.now += 10_000
    await allows(from('192.0.2.1'))
    expect(events[1]).toEqual({ type: 'address_limited', refused: 999 })
  })
})

describe('the limit of addresses', () => {
  it('is off where no header may be trusted, and where the limit is 0', () => {
    const deps = {
      clock: { now: () => T },
      random: systemRandom,
      events: { emit: () => undefined },
    }
    const off = { addressHeader: undefined, addressPerMinute: 3_000 }
    expect(createAddressLimit({ ...deps, config: off })).toBeUndefined()
    const none = { addressHeader: HEADER, addressPerMinute: 0 }
    expect(createAddressLimit({ ...deps, config: none })).toBeUndefined()
  })

  it("counts alone when the platform's limiter is away", async () => {
    const allows = createAddressLimit({
      config: { addressHeader: HEADER, addressPerMinute: 2 },
      clock: { now: () => T },
      random: systemRandom,
      events: { emit: () => undefined },
      binding: { limit: () => Promise.reject(new Error('away')) },
    })
    const answers = []
    for (let count = 0; count < 3; count += 1) answers.push(await allows?.(from('192.0.2.1')))
    expect(answers).toEqual([true, true, false])
  })
})
