import { describe, expect, it } from 'vitest'
import { BATCH_TTL_MS, createLoadBatches } from '../../src/resilience/load-batches.ts'

describe('the batches of an endpoint', () => {
  it('give each isolate what all others said last', () => {
    const batches = createLoadBatches()
    expect(batches.report({ isolate: 'a', inFlight: 4 }, 0)).toEqual({ inFlight: 0 })
    expect(batches.report({ isolate: 'b', inFlight: 3, latencyMs: 10 }, 0)).toEqual({ inFlight: 4 })
    const others = batches.report({ isolate: 'c', inFlight: 0, latencyMs: 30 }, 0)
    expect(others).toEqual({ inFlight: 7, latencyMs: 10 })
    expect(batches.report({ isolate: 'a', inFlight: 1 }, 1)).toEqual({ inFlight: 3, latencyMs: 20 })
  })

  it('count a silent isolate for half a minute', () => {
    const batches = createLoadBatches()
    batches.report({ isolate: 'dead', inFlight: 4 }, 0)
    const later = { isolate: 'a', inFlight: 0 }
    expect(batches.report(later, BATCH_TTL_MS - 1)).toEqual({ inFlight: 4 })
    expect(batches.report(later, BATCH_TTL_MS)).toEqual({ inFlight: 0 })
  })

  it('remember 1,000 isolates, the one silent for longest goes first', () => {
    const batches = createLoadBatches()
    for (let index = 0; index < 1_001; index += 1) {
      batches.report({ isolate: `i${index}`, inFlight: 1 }, 0)
    }
    expect(batches.report({ isolate: 'i1', inFlight: 1 }, 1)).toEqual({ inFlight: 999 })
  })
})
