import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type Bulkhead, createBulkhead, type Seat } from '../../src/resilience/index.ts'

const T = 1_000_000
const BOUNDS = { maxConcurrent: 1, maxQueued: 10, queueMs: 60_000 }
const staying = new AbortController().signal

/** Whoever was let in has noted it. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve()
}

function setUp(max = 1) {
  const elsewhere = { a: 0, b: 0 }
  const bulkhead = createBulkhead<string>((key) => (key === 'a' ? elsewhere.a : elsewhere.b))
  const enter = (key = 'a', now = T) => bulkhead.tryEnter(key, 'server', max, now)
  const entered: string[] = []
  const held = new Map<string, Seat>()
  /** Waits, and notes its name once it is let in. */
  const wait = (who: string, name = who, keys = ['a'], signal = staying, bounds = BOUNDS) =>
    bulkhead
      .wait({ group: 'server', keys, who, signal }, { ...bounds, maxConcurrent: max }, T)
      .then((waited) => {
        if (waited.kind === 'refused') return waited.why
        entered.push(name)
        held.set(name, waited.seat)
        return waited.seat.key
      })
  const leave = async (place: Seat | undefined) => {
    if (place) bulkhead.leave(place, T)
    await turns()
  }
  return { bulkhead, elsewhere, enter, wait, leave, entered, held }
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

  it('counts what runs elsewhere, and has room for one of its own', () => {
    const { enter, elsewhere } = setUp(3)
    elsewhere.a = 9
    expect(enter()).toBeDefined()
    expect(enter()).toBeUndefined()
    elsewhere.a = 1
    expect(enter()).toBeDefined()
    expect(enter()).toBeUndefined()
    elsewhere.a = 0
    expect(enter()).toBeDefined()
  })

  it('lets in first who was kept out by the others, once those have left', async () => {
    const { enter, wait, entered, elsewhere } = setUp(3)
    elsewhere.a = 2
    enter()
    void wait('ann')
    elsewhere.a = 1
    expect(enter()).toBeUndefined()
    await turns()
    expect(entered).toEqual(['ann'])
    void wait('bob')
    elsewhere.a = 0
    void wait('cid')
    await turns()
    expect(entered).toEqual(['ann', 'bob'])
  })

  it('serves the line when it is told that there may be room', async () => {
    const { bulkhead, enter, wait, entered, elsewhere } = setUp(2)
    elsewhere.a = 1
    enter()
    void wait('ann')
    bulkhead.serve('a', 'server', T)
    await turns()
    expect(entered).toEqual([])
    elsewhere.a = 0
    bulkhead.serve('a', 'server', T)
    await turns()
    expect(entered).toEqual(['ann'])
  })

  it('never blocks an isolate, whatever the others run', async () => {
    const { enter, wait, leave, entered, held, elsewhere } = setUp(2)
    elsewhere.a = 1_000
    let seat = enter()
    for (const name of ['ann', 'bob', 'cid']) void wait(name)
    while (seat) {
      await leave(seat)
      seat = held.get(entered.at(-1) ?? '')
      held.clear()
    }
    expect(entered).toEqual(['ann', 'bob', 'cid'])
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

  it('keeps the place in line of who gives up one of his calls', async () => {
    const { enter, wait, leave, entered } = setUp()
    const first = enter()
    const leaving = new AbortController()
    const given = wait('ann', 'ann 1', ['a'], leaving.signal)
    void wait('ann', 'ann 2')
    void wait('bob')
    leaving.abort()
    expect(await given).toBe('left')
    await leave(first)
    expect(entered).toEqual(['ann 2'])
  })

  it('shares a full line: a newcomer gets the last place of who has two more than he', async () => {
    const { enter, wait, leave, entered } = setUp()
    const bounds = { ...BOUNDS, maxQueued: 3 }
    const first = enter()
    const greedy = ['ann 1', 'ann 2', 'ann 3'].map((name) =>
      wait('ann', name, ['a'], staying, bounds),
    )
    void wait('bob', 'bob', ['a'], staying, bounds)
    expect(await greedy[2]).toBe('full')
    // Nobody has two more than he would have then.
    expect(await wait('bob', 'bob 2', ['a'], staying, bounds)).toBe('full')
    expect(await wait('ann', 'ann 4', ['a'], staying, bounds)).toBe('full')
    await leave(first)
    expect(entered).toEqual(['ann 1'])
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

  describe('of whose requests the platform drops one without a word', () => {
    const bounds = { ...BOUNDS, maxQueued: 1, queueMs: 1_000 }
    const group = 'server'
    /** Its timer is gone with it, and nothing of it ever runs again. */
    const drop = (bulkhead: Bulkhead) => {
      vi.useFakeTimers()
      void bulkhead.wait({ group, keys: ['a'], who: 'gone', signal: staying }, bounds, T)
      vi.useRealTimers()
    }

    it('does not keep its place in line for longer than it might have waited', async () => {
      const { bulkhead, enter } = setUp()
      const first = enter()
      drop(bulkhead)
      const waiting = { group, keys: ['a'], who: 'ann', signal: staying }
      expect(await bulkhead.wait(waiting, bounds, T + 999)).toMatchObject({ why: 'full' })
      const next = bulkhead.wait(waiting, bounds, T + 1_000)
      if (first) bulkhead.leave(first, T + 1_001)
      expect(await next).toMatchObject({ kind: 'entered', seat: { key: 'a' } })
    })

    it('gives a seat on that was handed to it and that it did not take', () => {
      const { bulkhead, enter } = setUp()
      const first = enter()
      drop(bulkhead)
      // Nothing of it runs before the next look, as nothing of a dropped request ever does.
      if (first) bulkhead.leave(first, T)
      expect(enter('a', T + 1_000)).toBeUndefined()
      expect(enter('a', T + 1_001)).toBeDefined()
    })
  })

  it('lets a request end only its own wait, when another empties the line and a third begins one', async () => {
    const { bulkhead, enter, wait, leave, entered } = setUp()
    const leaving = new AbortController()
    // On workerd no request may end the timer of another: what it would do comes late.
    const removed = vi.spyOn(leaving.signal, 'removeEventListener').mockReturnValue()
    const first = enter()
    const early = wait('ann', 'ann', ['a'], leaving.signal)
    await leave(first)
    expect(await early).toBe('a')
    void wait('ann', 'second')
    leaving.abort()
    expect(removed).toHaveBeenCalledOnce()
    const full = { ...BOUNDS, maxQueued: 1 }
    expect(await wait('bob', 'bob', ['a'], staying, full)).toBe('full')
    expect(bulkhead.running('a')).toBe(1)
    expect(entered).toEqual(['ann'])
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
          await turns()
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
