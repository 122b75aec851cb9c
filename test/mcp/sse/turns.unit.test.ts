import { describe, expect, it } from 'vitest'
import { createTurns, type Turn, type TurnsOptions } from '../../../src/mcp/sse/turns.ts'

/** Turns whose halves the test ends. */
function taking(options: Partial<TurnsOptions> = {}) {
  const log: string[] = []
  const halves = new Map<string, { readonly opened: () => void; readonly over: () => void }>()
  const turns = createTurns({
    ...{ maxOpening: 2, maxRunning: 3, maxWaiting: 3, maxWeight: 100 },
    waitUntil: () => undefined,
    ...options,
  })
  const turn = (id: string, more: Partial<Turn> = {}): Turn => ({
    id,
    run: (opened) =>
      new Promise((resolve) => {
        log.push(id)
        halves.set(id, { opened, over: resolve })
      }),
    weight: 1,
    skipped: () => void log.push(`no ${id}`),
    ...more,
  })
  return {
    turns,
    log,
    take: (id: string, more?: Partial<Turn>) => turns.take(turn(id, more)),
    opened: (id: string) => halves.get(id)?.opened(),
    async over(id: string) {
      halves.get(id)?.over()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

describe('turns', () => {
  it('start in the order in which they came, a few at once', async () => {
    const { take, log, opened, over } = taking()
    for (const id of ['a', 'b', 'c', 'd']) expect(take(id)).toBe(true)
    expect(log).toEqual(['a', 'b'])
    opened('b')
    opened('b')
    expect(log).toEqual(['a', 'b', 'c'])
    // Three run.
    opened('a')
    expect(log).toEqual(['a', 'b', 'c'])
    await over('b')
    expect(log).toEqual(['a', 'b', 'c', 'd'])
  })

  it('are not taken when too many wait', () => {
    const { take } = taking()
    expect(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => take(id))).toEqual([
      ...[true, true, true, true, true, false],
    ])
  })

  it('are not taken when all together weigh too much, but for one that is alone', async () => {
    const { take, turns, over } = taking({ maxOpening: 1 })
    expect(take('heavy', { weight: 101 })).toBe(true)
    expect(take('more', { weight: 1 })).toBe(false)
    await over('heavy')
    expect(take('half', { weight: 50 })).toBe(true)
    expect(take('other', { weight: 50 })).toBe(true)
    expect(take('more')).toBe(false)
    expect(turns.drop('other')).toBe(true)
    expect(take('more')).toBe(true)
  })

  it('wait for one that must be first', async () => {
    const { take, log, opened, over } = taking()
    take('hello', { isFirst: true })
    take('a')
    expect(log).toEqual(['hello'])
    opened('hello')
    expect(log).toEqual(['hello', 'a'])
    take('failing', { isFirst: true })
    take('b')
    await over('hello')
    expect(log).toEqual(['hello', 'a', 'failing'])
    // One that is over without having opened holds nobody up.
    await over('failing')
    expect(log).toEqual(['hello', 'a', 'failing', 'b'])
  })

  it('can be taken back while they wait', () => {
    const { take, turns, log, opened } = taking({ maxOpening: 1 })
    for (const id of ['a', 'b', 'c']) take(id)
    expect(turns.drop('b')).toBe(true)
    expect(turns.drop('b')).toBe(false)
    expect(turns.drop('a')).toBe(false)
    opened('a')
    expect(log).toEqual(['a', 'no b', 'c'])
  })

  it('tell when they are over, and start no more when stopped', async () => {
    let isIdle: boolean | undefined
    const { take, turns, log, over } = taking({
      maxOpening: 1,
      onOver: () => {
        isIdle = turns.isIdle()
      },
    })
    take('a')
    take('b')
    await over('a')
    expect(isIdle).toBe(false)
    await over('b')
    expect(isIdle).toBe(true)
    take('c')
    take('d')
    turns.stop()
    expect(take('e')).toBe(false)
    await over('c')
    expect(log).toEqual(['a', 'b', 'c', 'no d'])
  })
})
