import { describe, expect, it } from 'vitest'
import { inOrder, measureInterleaved } from '../../../scripts/bench/measure.ts'
import type { Target } from '../../../scripts/bench/rows/row.ts'

const target = (name: string, ceiling?: string): Target => ({
  ...{ name, url: 'http://127.0.0.1:1', headers: {}, body: '', expect: [], pids: [] },
  answer: 'message',
  ...(ceiling === undefined ? {} : { ceiling }),
})
const targets = [target('a'), target('b1'), target('c', 'b1'), target('b2'), target('d', 'b2')]
const names = (of: readonly Target[]) => of.map(({ name }) => name).join(' ')

describe('the order of a round', () => {
  it('begins one pair further on each round, every second one backwards', () => {
    expect([0, 1, 2, 3].map((round) => names(inOrder(targets, round)))).toEqual([
      'a b1 c b2 d',
      'a d b2 c b1',
      'b2 d a b1 c',
      'd b2 c b1 a',
    ])
  })

  it('measures a row beside its ceiling, wherever they were started', () => {
    const apart = [target('b1'), target('b2'), target('d', 'b2'), target('c', 'b1')]
    expect(names(inOrder(apart, 0))).toBe('b1 c b2 d')
  })
})

describe('measureInterleaved', () => {
  const run = (requests: number) => {
    const ran: string[] = []
    const samples = measureInterleaved({
      ...{ targets, concurrencies: [1, 128], rounds: 2, seconds: 1, warmUpSeconds: 2 },
      say: () => {},
      prepare: async ({ name }) => ran.push(name),
      toolFor: ({ name }) => ({
        name: 'counting',
        async run({ concurrency, seconds }) {
          ran.push(`${name} ${concurrency} ${seconds}s`)
          return { requests, seconds: 0.5, p50Ms: 1, p95Ms: 2, p99Ms: 3 }
        },
      }),
    })
    return { ran, samples }
  }

  it('warms each target up and then measures each at each concurrency in each round, after one answer', async () => {
    const { ran, samples } = run(50)
    expect(await samples).toHaveLength(5 * 2 * 2)
    expect(ran.slice(0, 5)).toEqual(['a', 'b1', 'c', 'b2', 'd'].map((name) => `${name} 32 2s`))
    expect(ran.slice(5, 9)).toEqual(['a', 'a 1 1s', 'b1', 'b1 1 1s'])
    expect((await samples)[0]).toMatchObject({ target: 'a', round: 0, requestsPerSecond: 100 })
  })

  it('takes no answers at all for a failure', async () => {
    await expect(run(0).samples).rejects.toThrow('answered nothing')
  })
})
