import { describe, expect, it } from 'vitest'
import { DISCOVERY, DOWN, idOf, NOW, runSlice, targetOf } from './slice-world.ts'

const UP = { health: 'healthy', latencyMs: 7, probedAt: NOW, error: null }

describe('a slice', () => {
  it('probes with the custom headers, within ten seconds or the shorter time of the server', async () => {
    const { probed } = await runSlice([targetOf(1), targetOf(2, { timeoutMs: 2_000 })])
    expect(probed).toMatchObject([
      { url: 'https://upstream-1.example/mcp', headers: [['x-key', 'custom']], timeoutMs: 10_000 },
      { timeoutMs: 2_000 },
    ])
  })

  it('has four probes under way at most', async () => {
    const { mostWaiting } = await runSlice(Array.from({ length: 10 }, (_, i) => targetOf(i)))
    expect(mostWaiting).toBe(4)
  })

  it.each([
    ['modern', false, 23],
    ['legacy', false, 11],
    ['unknown', false, 3],
    ['modern', true, 3],
  ] as const)(
    'leaves the rest to the next one when %s endpoints (catalogue: %s) would take more than 50 subrequests',
    async (eras, withCatalog, size) => {
      const targets = Array.from({ length: 24 }, (_, index) =>
        targetOf(index, { upstream: { ...DISCOVERY.facts, eras } }),
      )
      const { records, done } = await runSlice(targets, { withCatalog })
      expect(records).toHaveLength(size)
      expect(done).toEqual(targets.slice(0, size).map(({ endpointId }) => endpointId))
    },
  )

  it('is done with an endpoint that is gone', async () => {
    const gone = targetOf(2, { endpointId: idOf(99) })
    const { done } = await runSlice([targetOf(1), gone])
    expect(done).toEqual([idOf(1), idOf(99)])
  })
})

describe('what a probe leads to', () => {
  it.each([
    ['an unknown endpoint is healthy at once', 'unknown', 0, 0, 'up', 'healthy', 0, 1],
    ['an unknown endpoint is unhealthy at once', 'unknown', 0, 0, 'down', 'unhealthy', 1, 0],
    ['a healthy one survives a first failure', 'healthy', 0, 4, 'down', 'healthy', 1, 0],
    ['a healthy one survives a second failure', 'healthy', 1, 0, 'down', 'healthy', 2, 0],
    ['a third failure in a row makes it unhealthy', 'healthy', 2, 0, 'down', 'unhealthy', 3, 0],
    ['a success in between starts the count anew', 'healthy', 2, 0, 'up', 'healthy', 0, 1],
    ['one success does not heal', 'unhealthy', 5, 0, 'up', 'unhealthy', 0, 1],
    ['a second success in a row does', 'unhealthy', 0, 1, 'up', 'healthy', 0, 2],
    ['a failure in between starts it anew', 'unhealthy', 0, 1, 'down', 'unhealthy', 1, 0],
  ] as const)('%s', async (_title, health, failures, successes, outcome, ...after) => {
    const target = targetOf(1, {
      health,
      consecutiveFailures: failures,
      consecutiveSuccesses: successes,
    })
    const down = outcome === 'down' ? [1] : []
    const { records, breakers } = await runSlice([target], { down })
    const [afterHealth, consecutiveFailures, consecutiveSuccesses] = after
    expect(records).toEqual([
      {
        ...(outcome === 'up' ? UP : DOWN),
        endpointId: idOf(1),
        health: afterHealth,
        consecutiveFailures,
        consecutiveSuccesses,
      },
    ])
    expect(breakers).toEqual([[idOf(1), outcome === 'up' ? 'success' : 'failure']])
  })

  it('is written in one batch for all', async () => {
    const { records, batches } = await runSlice([1, 2, 3].map((index) => targetOf(index)))
    expect([records.length, batches]).toEqual([3, 1])
  })

  it('is nothing when no endpoint is left', async () => {
    const { batches, done } = await runSlice([])
    expect([batches, done]).toEqual([0, []])
  })
})

describe('an endpoint whose name leads where nothing may be called', () => {
  it('is unhealthy at once, is not probed, and leaves the others alone', async () => {
    const { records, probed } = await runSlice([targetOf(1), targetOf(2)], { wrong: [1] })
    expect(records).toMatchObject([
      {
        endpointId: idOf(1),
        health: 'unhealthy',
        error: 'The address resolves to a private address.',
      },
      { endpointId: idOf(2), health: 'healthy', error: null },
    ])
    expect(probed.map(({ url }) => url)).toEqual([targetOf(2).url])
  })

  it('costs two subrequests more, which a slice counts', async () => {
    const targets = Array.from({ length: 30 }, (_, index) => targetOf(index))
    const without = await runSlice(targets)
    const withNames = await runSlice(targets, { wrong: [] })
    expect([without.done.length, withNames.done.length]).toEqual([23, 11])
  })
})
