import { describe, expect, it, vi } from 'vitest'
import { type CallContext, ServerId } from '../../../src/core/index.ts'
import { createInFlight } from '../../../src/mcp/session/in-flight.ts'
import { withChanges } from '../../../src/mcp/session/running-calls.ts'
import type { RunningCall } from '../../../src/mcp/session/session-state.ts'

const SERVER = ServerId.parse('00000000-0000-4000-8000-000000000001')

/** Requests of one isolate, and the object that all isolates share. */
function isolate(stored: RunningCall[] = []) {
  const ctx = { waitUntil: () => undefined } as unknown as CallContext
  const inFlight = createInFlight({
    clock: { now: () => 0 },
    object: () => ({
      noteCalls: async (changes) => {
        stored.splice(0, stored.length, ...withChanges(stored, changes))
      },
      findCall: async (clientId) => stored.find((one) => one.clientId === clientId),
    }),
  })
  return {
    stored,
    add: (scope: string, clientId: string, upstreamId: string, session?: string) =>
      inFlight.add(ctx, {
        scope,
        clientId,
        upstreamId,
        server: SERVER,
        ...(session === undefined ? {} : { session }),
      }),
    isBusy: (session: string) => inFlight.isBusy(session, SERVER),
    find: async (scope: string, id: unknown, session?: string) =>
      (await inFlight.find({ scope, ...(session === undefined ? {} : { session }) }, id))
        ?.upstreamId,
  }
}

describe('requests in flight', () => {
  it('are found by the id of the client until they end', async () => {
    const { add, find } = isolate()
    const { forget } = add('s', '1', '"up-1"')
    expect(await find('s', 1)).toBe('"up-1"')
    forget()
    expect(await find('s', 1)).toBeUndefined()
    forget()
  })

  it('are found however their id is spelled', async () => {
    for (const [sent, cancelled] of [
      ['"\\u00fc"', 'ü'],
      ['"a\\/b"', 'a/b'],
      ['1.0', 1],
      ['1e2', 100],
    ] as const) {
      const { add, find } = isolate()
      const { forget } = add('s', sent, '"up"')
      expect(await find('s', cancelled)).toBe('"up"')
      forget()
      expect(await find('s', cancelled)).toBeUndefined()
    }
  })

  it('are kept apart by scope, and by the type of their id', async () => {
    const { add, find } = isolate()
    add('s', '1', '"up-1"')
    expect(await find('t', 1)).toBeUndefined()
    expect(await find('s', '1')).toBeUndefined()
    expect(await find('s', undefined)).toBeUndefined()
  })

  it('may share an id: the youngest is found, and each ends for itself', async () => {
    const { add, find } = isolate()
    const { forget: first } = add('s', '1', '"up-1"')
    const { forget: second } = add('s', '1', '"up-2"')
    expect(await find('s', 1)).toBe('"up-2"')
    second()
    expect(await find('s', 1)).toBe('"up-1"')
    first()
    expect(await find('s', 1)).toBeUndefined()
  })

  it('are found by another isolate when they have run for 100 ms, and not before', async () => {
    vi.useFakeTimers()
    try {
      const here = isolate()
      const there = isolate(here.stored)
      const { forget } = here.add('s', '1', '"up-1"', 'session')
      await vi.advanceTimersByTimeAsync(99)
      expect(await there.find('s', 1, 'session')).toBeUndefined()
      await vi.advanceTimersByTimeAsync(1)
      expect(await there.find('s', 1, 'session')).toBe('"up-1"')
      forget()
      await vi.advanceTimersByTimeAsync(50)
      expect(here.stored).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })

  it('stay known to other isolates while their stream is suspended', async () => {
    const here = isolate()
    const there = isolate(here.stored)
    const { forget, suspend } = here.add('s', '1', '"up-1"', 'session')
    suspend()
    forget()
    expect(await there.find('s', 1, 'session')).toBe('"up-1"')
  })

  it('cost nothing beyond their isolate when they are quick', async () => {
    vi.useFakeTimers()
    try {
      const { add, stored } = isolate()
      add('s', '1', '"up-1"', 'session').forget()
      await vi.advanceTimersByTimeAsync(10_000)
      expect(stored).toEqual([])
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('keep their session where it is, unless they wait to be sent or their client left', () => {
    const { add, isBusy } = isolate()
    expect(isBusy('session')).toBe(false)
    const { wait, goOn, forget } = add('s', '1', '"up-1"', 'session')
    expect(isBusy('session')).toBe(true)
    expect(isBusy('another')).toBe(false)
    wait()
    expect(isBusy('session')).toBe(false)
    goOn()
    expect(isBusy('session')).toBe(true)
    forget()
    wait()
    goOn()
    expect(isBusy('session')).toBe(false)
    add('s', '2', '"up-2"', 'session').suspend()
    expect(isBusy('session')).toBe(false)
  })

  it('are not told of to other isolates while they wait', async () => {
    vi.useFakeTimers()
    try {
      const { add, stored } = isolate()
      const { wait, goOn, forget } = add('s', '1', '"up-1"', 'session')
      await vi.advanceTimersByTimeAsync(100)
      expect(stored).toHaveLength(1)
      wait()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(stored).toEqual([])
      goOn()
      await vi.advanceTimersByTimeAsync(150)
      expect(stored).toHaveLength(1)
      forget()
      await vi.advanceTimersByTimeAsync(100)
      expect(stored).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })

  it('are at most 20,000 ids: the oldest is forgotten, and may still end', async () => {
    const { add, find } = isolate()
    const { forget } = add('s', '0', '"up-0"')
    for (let id = 1; id <= 20_000; id += 1) add('s', String(id), `"up-${id}"`)
    expect(await find('s', 0)).toBeUndefined()
    expect(await find('s', 1)).toBe('"up-1"')
    forget()
    expect(await find('s', 20_000)).toBe('"up-20000"')
  })

  it('are at most 100 under one id', async () => {
    const { add, find } = isolate()
    add('s', '1', '"oldest"')
    const younger = Array.from({ length: 100 }, (_, index) => add('s', '1', `"up-${index}"`))
    for (const { forget } of younger) forget()
    expect(await find('s', 1)).toBeUndefined()
  })
})
