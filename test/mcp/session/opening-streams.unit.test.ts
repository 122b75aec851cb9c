import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createOpeningStreams } from '../../../src/mcp/session/opening-streams.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Notes when the wait is over. */
function noting(waiting: Promise<void> | undefined) {
  const seen = { isOver: false }
  void waiting?.then(() => {
    seen.isOver = true
  })
  return seen
}

it('keeps what follows a stream behind it, in its session alone', async () => {
  const opening = createOpeningStreams()
  expect(opening.settled('a')).toBeUndefined()
  const sent = opening.begin('a')
  expect(opening.settled('b')).toBeUndefined()
  const seen = noting(opening.settled('a'))
  await vi.advanceTimersByTimeAsync(999)
  expect(seen.isOver).toBe(false)
  sent()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen.isOver).toBe(true)
  expect(opening.settled('a')).toBeUndefined()
  expect(vi.getTimerCount()).toBe(0)
})

it('waits for the last of two streams, whichever is sent first', async () => {
  const opening = createOpeningStreams()
  const first = opening.begin('a')
  const second = opening.begin('a')
  first()
  const seen = noting(opening.settled('a'))
  await vi.advanceTimersByTimeAsync(0)
  expect(seen.isOver).toBe(false)
  second()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen.isOver).toBe(true)
  first()
  expect(opening.settled('a')).toBeUndefined()
})

it('waits for a second at most, and once, for a stream that nobody opens any more', async () => {
  const opening = createOpeningStreams()
  opening.begin('a')
  const seen = noting(opening.settled('a'))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(seen.isOver).toBe(true)
  expect(opening.settled('a')).toBeUndefined()
})
