import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/core/index.ts'
import { createCancelLate } from '../../../src/mcp/relay/cancel-late.ts'
import type { UpstreamCall } from '../../../src/mcp/upstream/send.ts'
import type { GatewayEvent } from '../../../src/observability/index.ts'

/** A server of sessions that takes the cancel, or does not. */
async function cancelled(answer: () => Response) {
  const events: GatewayEvent[] = []
  const behind: Promise<unknown>[] = []
  const sent: UpstreamCall[] = []
  const place = { endpoint: 'e', upstreamId: 'theirs' }
  const cancelLate = createCancelLate({
    events: { emit: (event) => void events.push(event) },
    sessions: { placeOf: () => place } as never,
    upstreams: {
      async send(_ctx: unknown, call: UpstreamCall) {
        sent.push(call)
        return { endpoint: {}, response: answer(), end: () => undefined }
      },
    } as never,
  })
  const server = { path: 'shop', endpoints: [{ id: 'e' }], headers: [], timeoutMs: 1_000 }
  const outgoing = { inbound: { version: '2025-11-25' }, target: { server }, session: place }
  const ctx = { requestId: 'r', waitUntil: (work: Promise<unknown>) => behind.push(work) }
  cancelLate(ctx as never, outgoing as never, '"ours"')
  await Promise.all(behind)
  return { events, sent }
}

describe('the cancel of a call that took too long', () => {
  it('names the call as its server knows it, and leaves no event', async () => {
    const { events, sent } = await cancelled(() => new Response(null, { status: 202 }))
    expect(sent.map(({ body }) => JSON.parse(String(body)))).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: 'ours', reason: 'The request took too long.' },
      },
    ])
    expect(events).toEqual([])
  })

  it.each([
    ['refuses it', () => new Response(null, { status: 500 })],
    [
      'cannot be reached',
      () => {
        throw new GatewayError('upstream_failed', 'It is gone.')
      },
    ],
  ])('is a fault event where its server %s, and nobody else hears of it', async (_how, answer) => {
    const { events } = await cancelled(answer)
    expect(events).toEqual([
      {
        type: 'fault',
        requestId: 'r',
        where: 'cancel-late',
        error: expect.stringContaining('GatewayError'),
      },
    ])
  })
})
