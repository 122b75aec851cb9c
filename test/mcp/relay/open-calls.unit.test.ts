import { describe, expect, it } from 'vitest'
import { createOpenCalls } from '../../../src/mcp/relay/open-calls.ts'

const alice = { key: 'alice' }
const bob = { key: 'bob' }
const MINUTE_MS = 60_000

describe('the calls that a principal has open', () => {
  it('are so many at once and no more, each principal for itself', () => {
    const calls = createOpenCalls(2)
    const left = calls.enter(alice, 0)
    calls.enter(alice, 0)
    expect(() => calls.enter(alice, 0)).toThrowError(
      expect.objectContaining({ code: 'rate_limited' }),
    )
    calls.enter(bob, 0)
    left()
    calls.enter(alice, 0)
    expect(() => calls.enter(alice, 0)).toThrowError()
  })

  it('are over once: to say so again makes no room', () => {
    const calls = createOpenCalls(1)
    const left = calls.enter(alice, 0)
    left()
    const second = calls.enter(alice, 0)
    left()
    expect(() => calls.enter(alice, 0)).toThrowError()
    second()
    calls.enter(alice, 0)
  })

  it('count no longer than a call can last: those that were lost make room, and no others', () => {
    const calls = createOpenCalls(2)
    const lost = calls.enter(alice, 0)
    const long = calls.enter(alice, 10 * MINUTE_MS)
    expect(() => calls.enter(alice, 65 * MINUTE_MS)).toThrowError()
    calls.enter(alice, 66 * MINUTE_MS)
    // The end of a call that was given up is told after all: it has no place any more.
    lost()
    expect(() => calls.enter(alice, 66 * MINUTE_MS)).toThrowError()
    long()
    calls.enter(alice, 66 * MINUTE_MS)
  })

  it('are remembered of so many principals: the first to come is forgotten', () => {
    const calls = createOpenCalls(1)
    calls.enter(alice, 0)
    for (let n = 0; n < 9_999; n += 1) calls.enter({ key: `lost-${n}` }, 0)
    expect(() => calls.enter(alice, 0)).toThrowError()
    calls.enter(bob, 0)
    calls.enter(alice, 0)
  })
})
