import { describe, expect, it } from 'vitest'
import { ServerId } from '../../../src/core/index.ts'
import { isBusy, type RunningCalls, withChanges } from '../../../src/mcp/session/running-calls.ts'
import type { RunningCall } from '../../../src/mcp/session/session-state.ts'

const server = ServerId.parse('00000000-0000-4000-8000-000000000001')
const other = ServerId.parse('00000000-0000-4000-8000-000000000002')
const call = (upstreamId: string, part: Partial<RunningCall> = {}): RunningCall => ({
  ...{ clientId: '1', server, upstreamId, since: 0 },
  ...part,
})
const withCalls = (calls: RunningCalls, ...running: RunningCall[]) =>
  withChanges(calls, { running, over: [] })
const idsOf = (calls: RunningCalls) => calls.map(({ upstreamId }) => upstreamId)
const HOUR_MS = 3_600_000

describe('the running calls of a session', () => {
  it('are known once each, the youngest first', () => {
    const first = withCalls(withCalls([], call('a')), call('b'), call('c'))
    const later = withCalls(first, call('a', { isSuspended: true }))
    expect(idsOf(later)).toEqual(['c', 'b', 'a'])
    expect(later[2]?.isSuspended).toBe(true)
  })

  it('are known no more when they are over', () => {
    const calls = withCalls([], call('a'), call('b'))
    expect(idsOf(withChanges(calls, { running: [call('c')], over: ['a', 'z'] }))).toEqual([
      'c',
      'b',
    ])
    expect(withChanges(calls, { running: [], over: ['z'] })).toBe(calls)
  })

  it('are 500 at most, the oldest go first', () => {
    const many = (from: number) => Array.from({ length: 300 }, (_, at) => call(`${from + at}`))
    const calls = withCalls(withCalls([], ...many(0)), ...many(300))
    expect(calls).toHaveLength(500)
    expect(calls[0]?.upstreamId).toBe('599')
    expect(calls.at(-1)?.upstreamId).toBe('100')
  })

  it('keep a session at its endpoint while somebody reads the answer of one to that server', () => {
    expect(isBusy([call('a')], server, 10)).toBe(true)
    expect(isBusy([call('a')], other, 10)).toBe(false)
    expect(isBusy([call('a', { isSuspended: true })], server, 10)).toBe(false)
    expect(isBusy([], server, 10)).toBe(false)
  })

  it('do so for an hour: whoever sent one may have died', () => {
    expect(isBusy([call('a')], server, HOUR_MS - 1)).toBe(true)
    expect(isBusy([call('a')], server, HOUR_MS)).toBe(false)
    const { since: _since, ...old } = call('a')
    expect(isBusy([old], server, HOUR_MS)).toBe(false)
  })
})
