import { describe, expect, it } from 'vitest'
import { ServerId } from '../../../src/core/index.ts'
import { isBusy, type RunningCalls, withCall } from '../../../src/mcp/session/running-calls.ts'
import type { RunningCall } from '../../../src/mcp/session/session-state.ts'

const server = ServerId.parse('00000000-0000-4000-8000-000000000001')
const other = ServerId.parse('00000000-0000-4000-8000-000000000002')
const call = (upstreamId: string, part: Partial<RunningCall> = {}): RunningCall => ({
  ...{ clientId: '1', server, upstreamId, since: 0 },
  ...part,
})
const HOUR_MS = 3_600_000

describe('the running calls of a session', () => {
  it('are known once each, in the order in which they came', () => {
    const first = withCall(withCall([], call('a')), call('b'))
    const later = withCall(first, call('a', { isSuspended: true }))
    expect(later.map(({ upstreamId }) => upstreamId)).toEqual(['b', 'a'])
    expect(later[1]?.isSuspended).toBe(true)
  })

  it('are 500 at most, the oldest goes first', () => {
    let calls: RunningCalls = []
    for (let index = 0; index < 501; index += 1) calls = withCall(calls, call(`${index}`))
    expect(calls).toHaveLength(500)
    expect(calls.at(-1)?.upstreamId).toBe('1')
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
