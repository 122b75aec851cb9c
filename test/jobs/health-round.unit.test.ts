import { describe, expect, it } from 'vitest'
import { EndpointId } from '../../src/core/index.ts'
import { runHealthRound } from '../../src/jobs/index.ts'

/** Ids in order, as D1 would page them. */
const idsOf = (count: number): EndpointId[] =>
  Array.from({ length: count }, (_, index) =>
    EndpointId.parse(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`),
  )

/** A round over `count` endpoints, with everything it asked for. */
async function runRound(count: number, failing: readonly string[] = []) {
  const all = idsOf(count)
  const pages: number[] = []
  const woken = new Map<string, readonly EndpointId[]>()
  const events: unknown[] = []
  let waiting = 0
  let mostWaiting = 0
  await runHealthRound({
    events: { emit: (event) => events.push(event) },
    random: { uuid: () => 'round-1' },
    async listEndpointIds(limit, after = '') {
      pages.push(limit)
      return all.filter((id) => id > after).slice(0, limit)
    },
    probeObject: (name) => ({
      async wake(endpoints) {
        woken.set(name, endpoints)
        waiting += 1
        mostWaiting = Math.max(mostWaiting, waiting)
        await new Promise((resolve) => setTimeout(resolve, 1))
        waiting -= 1
        if (failing.includes(name)) throw new Error('The object is overloaded.')
      },
    }),
  })
  return { all, pages, woken, events, mostWaiting }
}

describe('a health round', () => {
  it('spreads 2,000 endpoints over 20 objects, with 2 D1 calls and 6 waiting at most', async () => {
    const { all, pages, woken, events, mostWaiting } = await runRound(2_000)
    expect(pages).toEqual([2_000, 2_000])
    expect([...woken.keys()]).toEqual(Array.from({ length: 20 }, (_, index) => `probe-${index}`))
    expect([...woken.values()].map((share) => share.length)).toEqual(Array(20).fill(100))
    expect([...woken.values()].flat()).toEqual(all)
    expect(mostWaiting).toBe(6)
    expect(events).toEqual([{ type: 'health_round', endpoints: 2_000, objects: 20 }])
  })

  it('gives the last object what is left, and no object nothing', async () => {
    const { pages, woken } = await runRound(101)
    expect(pages).toEqual([2_000])
    expect([...woken.values()].map((share) => share.length)).toEqual([100, 1])
  })

  it('wakes nobody when there is nothing to probe', async () => {
    const { pages, woken, events } = await runRound(0)
    expect([pages, woken.size]).toEqual([[2_000], 0])
    expect(events).toEqual([{ type: 'health_round', endpoints: 0, objects: 0 }])
  })

  it('reads page after page, up to 20,000 endpoints', async () => {
    const { pages, woken } = await runRound(20_500)
    expect(pages).toHaveLength(10)
    expect(woken.size).toBe(200)
  })

  it('wakes the other objects when one does not answer, and says so', async () => {
    const { woken, events } = await runRound(1_000, ['probe-2'])
    expect(woken.size).toBe(10)
    expect(events).toEqual([
      {
        type: 'fault',
        requestId: 'round-1',
        where: 'health-round',
        error: 'Error: The object is overloaded.',
      },
      { type: 'health_round', endpoints: 1_000, objects: 10 },
    ])
  })

  it('fails when the endpoints cannot be listed, so that the platform counts it', async () => {
    const round = runHealthRound({
      events: { emit: () => undefined },
      random: { uuid: () => 'round-1' },
      listEndpointIds: () => Promise.reject(new Error('D1 is down')),
      probeObject: () => ({ wake: async () => undefined }),
    })
    await expect(round).rejects.toThrow('D1 is down')
  })
})
