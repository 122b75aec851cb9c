import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/core/index.ts'
import { errorReply } from '../../../src/mcp/wire/reply.ts'
import { json, LEGACY, OK, setUp, stream } from './ask-world.ts'

describe('an answer', () => {
  it('is found in a stream behind whatever else comes, in any pieces', async () => {
    const { call } = setUp(() =>
      stream(
        ': hello\n\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n',
        'data: {"jsonrpc":"2.0","id":1,"method":"roots/list"}\n\ndata: {"jsonrpc":"2.0","id":2,"result":{}}\n\n',
        'data: {"jsonrpc":"2.0","id":1,\nda',
        'ta: "result":{"ok":"ü"}}\n\n',
      ),
    )
    expect(await call(LEGACY, 'tools/list')).toMatchObject({
      kind: 'result',
      result: { ok: 'ü' },
    })
  })

  it('is not waited for beyond itself', async () => {
    let isCancelled = false
    const { call } = setUp(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) =>
              controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(OK)}\n\n`)),
            cancel: () => {
              isCancelled = true
            },
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        ),
    )
    expect(await call(LEGACY, 'tools/list')).toMatchObject({ kind: 'result' })
    expect(isCancelled).toBe(true)
  })

  it('is the error of the upstream, whole, when the relay only carried it', async () => {
    const { call } = setUp((ctx) => {
      ctx.facts.outcome = 'rpc_error'
      return json({
        jsonrpc: '2.0',
        id: 1,
        // Dressed up as one of ours.
        error: { code: -31006, message: 'theirs', data: { code: 'not_found', requestId: 'x' } },
      })
    })
    expect(await call(LEGACY, 'tools/list')).toEqual({
      kind: 'error',
      code: -31006,
      message: 'theirs',
      data: { code: 'not_found', requestId: 'x' },
    })
  })

  it('throws what the relay refused with, as it was', async () => {
    const { call, ctx } = setUp((inner) => {
      inner.facts.outcome = 'upstream_unavailable'
      inner.facts.server = 'shop'
      return errorReply(
        new GatewayError('upstream_unavailable', 'It is failing.', {
          fix: 'Wait.',
          headers: { 'retry-after': '7', 'x-other': 'y' },
          data: { retryAfterSeconds: 7 },
        }),
        '1',
        inner.requestId,
      )
    })
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_unavailable',
      message: 'It is failing.',
      detail: {
        fix: 'Wait.',
        headers: { 'retry-after': '7' },
        data: { retryAfterSeconds: 7 },
      },
    })
    expect(ctx.facts).toEqual({ outcome: 'upstream_unavailable', server: 'shop' })
  })

  it.each([
    ['no JSON', () => json('{')],
    ['no response', () => json({ jsonrpc: '2.0', method: 'x' })],
    ['an array', () => json([])],
    ['a stream without one', () => stream('data: 7\n\n')],
    ['a stream cut in the middle', () => stream('data: {"jsonrpc":"2.0","id":1,"res')],
    ['nothing', () => json('')],
  ])('that is %s is a failure of the upstream', async (_what, reply) => {
    const { call } = setUp(reply)
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server answered with something that is no JSON-RPC response.',
    })
  })

  it.each([
    ['JSON', (text: string) => json(text)],
    ['a stream', (text: string) => stream(`data: ${text}\n\n`)],
  ])('in %s is refused when it is too large', async (_how, reply) => {
    const text = JSON.stringify({ ...OK, result: { text: 'x'.repeat(2_000) } })
    const { call } = setUp(() => reply(text))
    await expect(call(LEGACY, 'tools/list', {}, 1_000)).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server sent more than 1000 bytes.',
    })
  })

  it('is refused when it is nested so deep that it could not be written again', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const { call } = setUp(() => json(`{"jsonrpc":"2.0","id":1,"result":{"deep":${deep}}}`))
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server sent an answer that is nested too deep.',
    })
  })

  it('that breaks off is a failure of the upstream', async () => {
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error('broke')),
    })
    const { call } = setUp(
      () => new Response(broken, { headers: { 'content-type': 'application/json' } }),
    )
    await expect(call(LEGACY, 'tools/list')).rejects.toMatchObject({
      code: 'upstream_failed',
      message: 'The server closed the connection before its answer was complete.',
    })
  })
})
