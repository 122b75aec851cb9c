import { describe, expect, it } from 'vitest'
import { hedge } from '../../src/resilience/index.ts'

/** Two copies that end when the test says so. */
function setUp(options: { mayHedge?: boolean; afterMs?: number } = {}) {
  const copies: {
    name: string
    signal: AbortSignal
    end: (value: string) => void
    fail: (why: Error) => void
  }[] = []
  const discarded: string[] = []
  const behind: Promise<unknown>[] = []
  const leaving = new AbortController()
  let asked = 0
  const done = hedge<string>({
    signal: leaving.signal,
    afterMs: options.afterMs ?? 1,
    run: (name, signal) =>
      new Promise((resolve, reject) => {
        copies.push({ name, signal, end: resolve, fail: reject })
        signal.addEventListener('abort', () => resolve('aborted'))
      }),
    mayHedge: () => {
      asked += 1
      return options.mayHedge ?? true
    },
    isGood: (result) => result.startsWith('good'),
    discard: (result) => void discarded.push(result),
    waitUntil: (work) => void behind.push(work),
  })
  const second = async () => {
    await expect.poll(() => copies.length).toBe(2)
  }
  return { copies, discarded, behind, leaving, done, second, asked: () => asked }
}

describe('a hedged request', () => {
  it('is sent once when it is answered in time', async () => {
    const { copies, done, asked } = setUp({ afterMs: 60_000 })
    copies[0]?.end('good 1')
    expect(await done).toBe('good 1')
    expect(copies).toHaveLength(1)
    expect(asked()).toBe(0)
  })

  it('takes the first good answer, and aborts the copy that lost', async () => {
    const { copies, done, second, discarded, behind } = setUp()
    await second()
    copies[1]?.end('good 2')
    expect(await done).toBe('good 2')
    await Promise.all(behind)
    expect(copies[0]?.signal.aborted).toBe(true)
    expect(copies[1]?.signal.aborted).toBe(false)
    expect(discarded).toEqual(['aborted'])
  })

  it('does not take a bad answer while a good one may come', async () => {
    const { copies, done, second, discarded } = setUp()
    await second()
    copies[1]?.end('bad 2')
    copies[0]?.end('good 1')
    expect(await done).toBe('good 1')
    expect(discarded).toEqual(['bad 2'])
  })

  it('has the answer of the first copy when none is good', async () => {
    const { copies, done, second, discarded } = setUp()
    await second()
    copies[0]?.end('bad 1')
    copies[1]?.end('bad 2')
    expect(await done).toBe('bad 1')
    expect(discarded).toEqual(['bad 2'])
  })

  it('goes on with the first copy when the second cannot be sent', async () => {
    const { copies, done, second } = setUp()
    await second()
    copies[1]?.fail(new Error('no endpoint'))
    copies[0]?.end('good 1')
    expect(await done).toBe('good 1')
  })

  it('is not sent twice without budget', async () => {
    const { copies, done, asked } = setUp({ mayHedge: false })
    await expect.poll(asked).toBe(1)
    copies[0]?.end('good 1')
    expect(await done).toBe('good 1')
    expect(copies).toHaveLength(1)
  })

  it('aborts both copies when the caller leaves', async () => {
    const { copies, leaving, done, second } = setUp()
    await second()
    leaving.abort()
    expect(copies.map(({ signal }) => signal.aborted)).toEqual([true, true])
    expect(await done).toBe('aborted')
  })
})
