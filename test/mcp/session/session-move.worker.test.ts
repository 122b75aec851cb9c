import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { EndpointId, ServerId, ServerPath } from '../../../src/core/index.ts'
import type { OpenSessionInput, RunningCall } from '../../../src/mcp/session/session-state.ts'

const id = (digit: number) => `00000000-0000-4000-8000-00000000000${digit}`
const server = ServerId.parse(id(1))
const from = { endpoint: EndpointId.parse(id(2)), upstreamId: '"s1"' }
const NOW = 1_000_000
const times = { now: NOW, expiresAt: Date.now() + 60_000 }
/** Nobody listens there: to try is to fail. */
const input: OpenSessionInput = {
  server: ServerPath.parse('shop'),
  endpoint: EndpointId.parse(id(3)),
  transport: 'streamable-http',
  url: 'http://127.0.0.1:9/mcp',
  custom: [],
  timeoutMs: 500,
  hello: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} },
  hasLogging: false,
}
const noting = (...running: RunningCall[]) => ({ running, over: [] })
const call: RunningCall = { clientId: '1', server, upstreamId: '"u1"', since: NOW }
const objectOf = (name: string) => env.SESSIONS.getByName(`move-${name}`)
const TRIED = { kind: 'failed', outcome: 'failure' }

describe('moving a session to another endpoint', () => {
  it('is tried while nothing of it is in flight', async () => {
    const stub = objectOf('idle')
    expect(await stub.move(server, from, input, times)).toMatchObject(TRIED)
    await stub.noteCalls(noting(call), times.expiresAt)
    await stub.noteCalls({ running: [], over: [call.upstreamId] }, times.expiresAt)
    expect(await stub.move(server, from, input, times)).toMatchObject(TRIED)
  })

  it('waits for a call that another isolate has in flight', async () => {
    const stub = objectOf('busy')
    await stub.noteCalls(noting(call), times.expiresAt)
    expect(await stub.move(server, from, input, times)).toMatchObject({ kind: 'busy' })
  })

  it('does not wait for a call that its asker knows to be over', async () => {
    const stub = objectOf('left')
    await stub.noteCalls(noting(call, { ...call, upstreamId: '"u3"' }), times.expiresAt)
    const one = { ...times, left: [call.upstreamId] }
    expect(await stub.move(server, from, input, one)).toMatchObject({ kind: 'busy' })
    const both = { ...times, left: [call.upstreamId, '"u3"'] }
    expect(await stub.move(server, from, input, both)).toMatchObject(TRIED)
  })

  it('does not wait for a call whose answer nobody reads, nor for one to another server', async () => {
    const stub = objectOf('suspended')
    await stub.noteCalls(noting(call), times.expiresAt)
    await stub.noteCalls(noting({ ...call, isSuspended: true }), times.expiresAt)
    const elsewhere = { ...call, upstreamId: '"u2"', server: ServerId.parse(id(9)) }
    await stub.noteCalls(noting(elsewhere), times.expiresAt)
    expect(await stub.move(server, from, input, times)).toMatchObject(TRIED)
    expect(await stub.findCall('1')).toMatchObject({ upstreamId: '"u2"' })
  })

  it('knows nothing of calls of a session that has ended', async () => {
    const stub = objectOf('ended-calls')
    await stub.end(times.expiresAt)
    await stub.noteCalls(noting(call), times.expiresAt)
    expect(await stub.findCall('1')).toBeUndefined()
  })

  it('does not happen to a session that has ended', async () => {
    const stub = objectOf('ended')
    await stub.end(times.expiresAt)
    expect(await stub.move(server, from, input, times)).toMatchObject({ kind: 'ended' })
  })
})
