import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBulkhead, type Place } from '../../src/resilience/index.ts'

const T = 1_000_000
const BOUNDS = { maxConcurrent: 1, maxQueued: 10, queueMs: 60_000 }
const staying = new AbortController().signal

function setUp(max = 1) {
  const bulkhead = createBulkhead()
  const enter = (key = 'a', now = T, elsewhere = 0) =>
    bulkhead.tryEnter(key, 'server', max, now, elsewhere)
  const entered: string[] = []
  const held = new Map<string, Place>()
  /** Waits, and notes its name once it is let in. */
  const wait = (who: string, name = who, keys = ['a'], signal = staying, bounds = BOUNDS) =>
    bulkhead.wait({ group: 'server', keys, who, signal }, bounds).then((waited) => {
      if (waited.kind === 'refused') return waited.why
      entered.push(name)
      held.set(name, waited.place)
      return waited.place.key
    })
  const leave = async (place: Place | undefined) => {
    if (place) bulkhead.leave(place, T)
    await Promise.resolve()
    await Promise.resolve()
  }
  return { bulkhead, enter, wait, leave, entered, held }
}

describe('a bulkhead', () => {
  it('lets so many in, and the next when one has left', async () => {
    const { enter, leave } = setUp(2)
    const [first, second] = [enter(), enter()]
    expect(enter()).toBeUndefined()
    await leave(first)
    await leave(first)
    expect(enter()).toBeDefined()
    expect(enter()).toBeUndefined()
    expect(second).toBeDefined()
  })

  it('counts what runs elsewhere', () => {
    const { enter } = setUp(3)
    expect(enter('a', T, 2)).toBeDefined()
    expect(enter('a', T, 2)).toBeUndefined()
    expect(enter('b', T, 3)).toBeUndefined()
    expect(enter('a', T, 1)).toBeDefined()
  })

  it('hands a place to who waits, before anyone who comes later', async () => {
    const { enter, wait, leave, entered } = setUp()
    const first = enter()
    const waiting = wait('ann')
    await leave(first)
    expect(await waiting).toBe('a')
    expect(entered).toEqual(['ann'])
    expect(enter()).toBeUndefined()
  })

  it('takes turns between callers, however many one of them has in line', async () => {
    const { enter, wait, leave, entered, held } = setUp()
    let place = enter()
    for (const name of ['ann 1', 'ann 2', 'ann 3', 'bob 1', 'bob 2', 'cid 1']) {
      void wait(name.slice(0, 3), name)
    }
    while (place) {
      await leave(place)
      place = held.get(entered.at(-1) ?? '')
      held.clear()
    }
    expect(entered).toEqual(['ann 1', 'bob 1', 'cid 1', 'ann 2', 'bob 2', 'ann 3'])
  })

  it('gives a place to who may have it: a pinned call waits for its own endpoint', async () => {
    const { enter, wait, leave, entered } = setUp()
    const [a, b] = [enter('a'), enter('b')]
    void wait('ann', 'pinned', ['b'])
    void wait('bob', 'free', ['a', 'b'])
    await leave(a)
    expect(entered).toEqual(['free'])
    await leave(b)
    expect(entered).toEqual(['free', 'pinned'])
  })

  it('frees the place in line of who leaves, at once', async () => {
    const { enter, wait, leave, entered } = setUp()
    const bounds = { ...BOUNDS, maxQueued: 1 }
    const first = enter()
    const leaving = new AbortController()
    const gone = wait('ann', 'ann', ['a'], leaving.signal, bounds)
    expect(await wait('bob', 'bob', ['a'], staying, bounds)).toBe('full')
    leaving.abort()
    expect(await gone).toBe('left')
    void wait('cid', 'cid', ['a'], staying, bounds)
    await leave(first)
    expect(entered).toEqual(['cid'])
    expect(await wait('dee', 'dee', ['a'], AbortSignal.abort())).toBe('left')
  })

  it('refuses who has waited long enough, or would wait behind too many', async () => {
    const { enter, wait } = setUp()
    enter()
    expect(await wait('ann', 'ann', ['a'], staying, { ...BOUNDS, queueMs: 1 })).toBe('late')
    expect(await wait('ann', 'ann', ['a'], staying, { ...BOUNDS, maxQueued: 0 })).toBe('full')
  })

  it('forgets a place that was lost with its invocation', () => {
    const { enter } = setUp()
    enter('a', T)
    expect(enter('a', T + 65 * 60_000)).toBeUndefined()
    expect(enter('a', T + 65 * 60_000 + 1)).toBeDefined()
    expect(enter('a', T + 65 * 60_000 + 1)).toBeUndefined()
  })

  it('never lets more in than it has room for, and nobody waits beside a free place', async () => {
    const keys = fc.constantFrom('a', 'b')
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('come' as const), key: keys, who: fc.nat({ max: 3 }) }),
        fc.record({ kind: fc.constant('go' as const), key: keys, who: fc.nat({ max: 20 }) }),
      ),
      { maxLength: 100 },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (max, all) => {
        const { bulkhead, enter, held, wait, leave } = setUp(max)
        let names = 0
        let waiting = { a: 0, b: 0 }
        for (const { kind, key, who } of all) {
          if (kind === 'come') {
            names += 1
            const name = String(names)
            const place = enter(key)
            if (place) held.set(name, place)
            else {
              waiting = { ...waiting, [key]: waiting[key] + 1 }
              const bounds = { ...BOUNDS, maxQueued: 1_000 }
              void wait(String(who), name, [key], staying, bounds).then(() => {
                waiting = { ...waiting, [key]: waiting[key] - 1 }
              })
            }
          } else {
            const own = [...held].filter(([, place]) => place.key === key)
            const [name, place] = own[who % Math.max(1, own.length)] ?? []
            if (name !== undefined) held.delete(name)
            await leave(place)
          }
          await Promise.resolve()
          for (const each of ['a', 'b'] as const) {
            const running = [...held.values()].filter((place) => place.key === each).length
            expect(bulkhead.running(each)).toBe(running)
            expect(running).toBeLessThanOrEqual(max)
            if (waiting[each] > 0) expect(running).toBe(max)
          }
        }
      }),
    )
  })
})
