import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createOpeningStreams } from '../../../src/mcp/session/opening-streams.ts'

const A = { key: 'a' }

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
  expect(opening.settled(A)).toBeUndefined()
  expect(opening.settled(undefined)).toBeUndefined()
  const sent = opening.begin(A)
  expect(opening.settled({ key: 'b' })).toBeUndefined()
  const seen = noting(opening.settled(A))
  await vi.advanceTimersByTimeAsync(999)
  expect(seen.isOver).toBe(false)
  sent()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen.isOver).toBe(true)
  expect(opening.settled(A)).toBeUndefined()
  expect(vi.getTimerCount()).toBe(0)
})

it.each([
  ['first', 0],
  ['second', 1],
])(
  'waits for both of two streams, when the %s is sent before the other',
  async (_which, before) => {
    const opening = createOpeningStreams()
    const streams = [opening.begin(A), opening.begin(A)]
    streams[before]?.()
    // Told twice, it counts once.
    streams[before]?.()
    const seen = noting(opening.settled(A))
    await vi.advanceTimersByTimeAsync(0)
    expect(seen.isOver).toBe(false)
    streams[1 - before]?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(seen.isOver).toBe(true)
    expect(opening.settled(A)).toBeUndefined()
  },
)

it('waits for a second at most, and once, for a stream that nobody opens any more', async () => {
  const opening = createOpeningStreams()
  opening.begin(A)
  const seen = noting(opening.settled(A))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(seen.isOver).toBe(true)
  expect(opening.settled(A)).toBeUndefined()
})
