import { describe, expect, it } from 'vitest'
import { DISCOVERY, DOWN, idOf, runSlice, targetOf } from './slice-world.ts'

describe('a slice with catalogues', () => {
  it('asks each endpoint for everything, and has it stored', async () => {
    const { records, discovered, stored, probed } = await runSlice([targetOf(1)], {
      withCatalog: true,
    })
    expect(probed).toEqual([])
    expect(discovered).toEqual([targetOf(1).url])
    expect(stored).toEqual([['server-1', DISCOVERY]])
    expect(records).toMatchObject([{ health: 'healthy', consecutiveSuccesses: 2 }])
  })

  it('also asks one of which nothing is known yet when it is only to be probed', async () => {
    const unknown = { upstream: { ...DISCOVERY.facts, eras: 'unknown' as const } }
    const { discovered, stored } = await runSlice([targetOf(1, unknown)])
    expect([discovered.length, stored.length]).toEqual([1, 1])
  })

  it('takes an endpoint that does not answer for down', async () => {
    const { records, stored, breakers } = await runSlice([targetOf(1)], {
      withCatalog: true,
      down: [1],
    })
    expect(records).toMatchObject([{ health: 'healthy', consecutiveFailures: 1, ...DOWN }])
    expect(breakers).toEqual([[idOf(1), 'failure']])
    expect(stored).toEqual([])
  })

  it('does not hold against an endpoint what the registry could not store', async () => {
    const { records, breakers, events } = await runSlice([targetOf(1)], {
      withCatalog: true,
      storeCatalog: () => Promise.reject(new Error('D1 is down')),
    })
    expect(records).toMatchObject([{ health: 'healthy', consecutiveFailures: 0, error: null }])
    expect(breakers).toEqual([[idOf(1), 'success']])
    expect(events).toEqual([
      {
        type: 'fault',
        requestId: 'probe-1',
        where: 'probe.catalog',
        error: 'Error: D1 is down',
      },
    ])
  })
})

describe('an endpoint that refuses a probe as one refuses another transport', () => {
  it('is asked what it speaks now, and what it offers is stored', async () => {
    const found = { ...DISCOVERY, transport: 'sse' as const }
    const seen = await runSlice([targetOf(1), targetOf(2)], {
      doubted: [1],
      discover: async () => found,
    })
    expect(seen.tried).toEqual([['streamable-http', 'sse']])
    expect(seen.stored).toEqual([['server-1', found]])
    expect(seen.records.map(({ error }) => error)).toEqual([null, null])
  })

  it('is down when it speaks nothing else', async () => {
    const seen = await runSlice([targetOf(1)], { doubted: [1], down: [1] })
    expect(seen.discovered).toHaveLength(1)
    expect(seen.records).toMatchObject([{ error: 'It is down.' }])
  })

  it('is asked nothing more when its transport was named, but by that', async () => {
    const target = targetOf(1, { transportChoice: 'sse', transport: 'sse' })
    const seen = await runSlice([target], { doubted: [1] })
    expect(seen.tried).toEqual([['sse']])
  })

  it('waits for another round when this one cannot afford it', async () => {
    const targets = Array.from({ length: 20 }, (_, index) => targetOf(index + 1))
    const seen = await runSlice(targets, { doubted: [1] })
    expect(seen.discovered).toEqual([])
    expect(seen.records[0]).toMatchObject({ error: 'HTTP 405', consecutiveFailures: 1 })
  })
})
