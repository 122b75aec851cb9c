import { describe, expect, it } from 'vitest'
import { createEventStore } from '../../scripts/conformance/fixture/event-store.ts'
import { assertFixture } from '../../scripts/conformance/preflight.ts'
import { startModernServer } from '../support/modern-server.ts'

const message = (id: number) => ({ jsonrpc: '2.0' as const, id, result: {} })

describe("the fixture's event store", () => {
  it('replays what one stream missed, in order, and nothing of another', async () => {
    const store = createEventStore()
    const first = await store.storeEvent('a', message(1))
    await store.storeEvent('b', message(2))
    const third = await store.storeEvent('a', message(3))
    const fourth = await store.storeEvent('a', message(4))

    const replayed: unknown[] = []
    const streamId = await store.replayEventsAfter(first, {
      async send(eventId, event) {
        replayed.push([eventId, event])
      },
    })

    expect(streamId).toBe('a')
    expect(replayed).toEqual([
      [third, message(3)],
      [fourth, message(4)],
    ])
  })

  it('knows no stream of an event that was never stored', async () => {
    const store = createEventStore()
    expect(await store.getStreamIdForEventId?.('7')).toBeUndefined()
    await expect(store.replayEventsAfter('7', { send: async () => {} })).rejects.toThrow(
      'no event 7',
    )
  })
})

describe('the preflight', () => {
  it('refuses a fixture that has less than the scenarios need', async () => {
    const weaker = await startModernServer()
    try {
      await expect(assertFixture(weaker.url, '2026-07-28')).rejects.toThrow(
        'the fixture is not what it must be: capabilities of 2026-07-28',
      )
    } finally {
      await weaker.stop()
    }
  })
})
