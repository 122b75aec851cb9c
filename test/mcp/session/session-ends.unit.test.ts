import { describe, expect, it } from 'vitest'
import type { CallContext } from '../../../src/core/index.ts'
import { createSessionEnds } from '../../../src/mcp/session/session-ends.ts'

/** One isolate, the object of one session, and a clock that the test moves. */
function setUp() {
  const behind: Promise<unknown>[] = []
  const events: unknown[] = []
  let now = 1_000_000
  let asked = 0
  let answer: () => Promise<boolean> = async () => false
  const ctx = {
    requestId: 'r',
    clock: { now: () => now },
    waitUntil: (work: Promise<unknown>) => behind.push(work),
  } as unknown as CallContext
  const ends = createSessionEnds({
    events: { emit: (event) => events.push(event) },
    object: () => ({
      isEnded() {
        asked += 1
        return answer()
      },
    }),
  })
  return {
    ends,
    events,
    isEnded: () => ends.isEnded(ctx, 'key'),
    asked: () => asked,
    settle: () => Promise.all(behind),
    begin: () => ends.noteBegun('key', now),
    advance: (ms: number) => {
      now += ms
    },
    answerWith: (given: () => Promise<boolean>) => {
      answer = given
    },
  }
}

describe('whether a session has ended', () => {
  it('is asked once by an isolate that sees it for the first time', async () => {
    const { isEnded, asked } = setUp()
    expect(await isEnded()).toBe(false)
    expect(await isEnded()).toBe(false)
    expect(asked()).toBe(1)
  })

  it('is not asked at all by the isolate that began it', async () => {
    const { isEnded, asked, begin, advance } = setUp()
    begin()
    advance(2_999)
    expect(await isEnded()).toBe(false)
    expect(asked()).toBe(0)
  })

  it('is confirmed behind the call from 3 s on, once, and shows in the next call', async () => {
    const { isEnded, asked, begin, advance, answerWith, settle } = setUp()
    let tell: (isEnded: boolean) => void = () => undefined
    begin()
    answerWith(() => new Promise((resolve) => (tell = resolve)))
    advance(3_000)
    expect([await isEnded(), await isEnded()]).toEqual([false, false])
    expect(asked()).toBe(1)
    tell(true)
    await settle()
    expect(await isEnded()).toBe(true)
    expect(asked()).toBe(1)
  })

  it('is waited for after 5 s without a word', async () => {
    const { isEnded, begin, advance, answerWith } = setUp()
    begin()
    answerWith(async () => true)
    advance(5_000)
    expect(await isEnded()).toBe(true)
  })

  it('is never waited for by a session in steady use', async () => {
    const { isEnded, asked, begin, advance, settle } = setUp()
    begin()
    for (let second = 0; second < 60; second += 1) {
      advance(1_000)
      const before = asked()
      const answer = isEnded()
      // What is asked before an answer is asked at once, or behind it.
      const isBehind = asked() > before
      expect(await answer).toBe(false)
      if (isBehind) await settle()
    }
    expect(asked()).toBe(20)
  })

  it('waits for no object between 3 and 5 s, even for one that never answers', async () => {
    const { isEnded, begin, advance, answerWith } = setUp()
    begin()
    answerWith(() => new Promise<never>(() => undefined))
    advance(3_000)
    expect(await isEnded()).toBe(false)
    advance(1_999)
    expect(await isEnded()).toBe(false)
  })

  it('stays no while the object cannot be asked, with an event', async () => {
    const { isEnded, events, answerWith } = setUp()
    answerWith(() => Promise.reject(new Error('overloaded')))
    expect(await isEnded()).toBe(false)
    expect(events).toEqual([expect.objectContaining({ type: 'fault', where: 'session.ends' })])
  })

  it('is asked again when the clock went back', async () => {
    const { isEnded, asked, begin, advance } = setUp()
    begin()
    advance(-1)
    expect(await isEnded()).toBe(false)
    expect(asked()).toBe(1)
  })

  it('is forgotten for the one not confirmed for longest', async () => {
    const { ends, isEnded, asked, begin } = setUp()
    begin()
    for (let other = 0; other < 20_000; other += 1) ends.noteBegun(`other-${other}`, 1_000_000)
    await isEnded()
    expect(asked()).toBe(1)
  })
})
