import { describe, expect, it } from 'vitest'
import type { RequestFacts } from '../../src/core/index.ts'
import { isBatch, readBatch, requireBatchVersion, serveBatch } from '../../src/mcp/batch.ts'
import { batchFacts } from '../../src/mcp/batch-facts.ts'

const request = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}`
const NOTIFICATION = '{"jsonrpc":"2.0","method":"notifications/progress"}'

function recorder(answer: (message: string) => Response) {
  const served: string[] = []
  const serve = async (message: string): Promise<Response> => {
    served.push(message)
    return answer(message)
  }
  return { served, serve }
}

const json = (text: string) =>
  new Response(text, { headers: { 'content-type': 'application/json' } })

describe('a batch', () => {
  it('is what begins with an array', () => {
    expect(isBatch(' \n[')).toBe(true)
    expect(isBatch('{"a":[]}')).toBe(false)
  })

  it.each([
    [null, undefined],
    [null, '2025-03-26'],
    ['2025-03-26', '2025-03-26'],
    [null, '2024-11-05'],
    ['2024-11-05', '2024-11-05'],
  ])('is accepted with the header %j in a session of %j', (header, negotiated) => {
    expect(() => requireBatchVersion(header, negotiated)).not.toThrow()
  })

  it.each([
    ['2025-06-18', undefined],
    [null, '2025-06-18'],
    [null, '2025-11-25'],
    ['2026-07-28', undefined],
  ])('is refused with the header %j in a session of %j', (header, negotiated) => {
    expect(() => requireBatchVersion(header, negotiated)).toThrow('batches are not accepted')
  })

  it('is served in order, each message as it was written, its answers in one stream', async () => {
    const { served, serve } = recorder((message) =>
      message === NOTIFICATION
        ? new Response(null, { status: 202 })
        : json(`{"jsonrpc":"2.0",\n"id":${JSON.parse(message).id},"result":{}}`),
    )
    const big = '{"jsonrpc":"2.0","id":12345678901234567890,"method":"ping"}'
    const { response } = await serveBatch(
      readBatch(`[${request(1)} , ${NOTIFICATION},${big}]`),
      serve,
    )
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toBe(
      [
        'event: message\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n',
        'event: message\ndata: {"jsonrpc":"2.0",\ndata: "id":12345678901234567000,"result":{}}\n\n',
      ].join(''),
    )
    expect(served).toEqual([request(1), NOTIFICATION, big])
  })

  it('hands streams on as they are', async () => {
    const { serve } = recorder(
      () => new Response('data: {}\n\n', { headers: { 'content-type': 'text/event-stream' } }),
    )
    const { response } = await serveBatch(readBatch(`[${request(1)},${request(2)}]`), serve)
    expect(await response.text()).toBe('data: {}\n\ndata: {}\n\n')
  })

  it('is accepted with 202 when nothing in it wants an answer', async () => {
    const { served, serve } = recorder(() => new Response(null, { status: 202 }))
    const answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
    const { response } = await serveBatch(readBatch(`[${NOTIFICATION},${answer}]`), serve)
    expect([response.status, await response.text(), served.length]).toEqual([202, '', 2])
  })

  it('of which nothing wants an answer gives its first refusal, and is served to its end', async () => {
    const refusals = [new Response(null, { status: 202 }), json('"first"'), json('"second"')]
    const { served, serve } = recorder(() => refusals.shift() ?? json('"none"'))
    const { response, isWhole } = await serveBatch(
      [NOTIFICATION, NOTIFICATION, NOTIFICATION],
      serve,
    )
    expect([await response.text(), served.length, await isWhole]).toEqual(['"first"', 3, true])
  })

  it('says whether all its answers could be written', async () => {
    const whole = await serveBatch([request(1)], async () => json('{}'))
    await whole.response.text()
    expect(await whole.isWhole).toBe(true)
    const { served, serve } = recorder(() => json('{}'))
    const left = await serveBatch([request(1), request(2), request(3)], serve)
    await left.response.body?.cancel()
    expect(await left.isWhole).toBe(false)
    expect(served.length).toBeLessThan(3)
  })

  it.each([
    ['a request', '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'],
    ['a notification', '{"jsonrpc":"2.0","method":"initialize"}'],
    ['in other letters', '{"jsonrpc":"2.0","id":1,"m\\u0065thod":"initial\\u0069ze"}'],
  ])('is refused when initialize is among its messages: %s', (_what, initialize) => {
    const refused = expect.objectContaining({
      code: 'invalid_request',
      message: 'initialize must not be part of a batch.',
    })
    expect(() => readBatch(`[${request(1)},${initialize}]`)).toThrow(refused)
    expect(() => readBatch(`[${initialize}]`)).toThrow(refused)
  })

  it.each([
    ['[]', 'invalid_request'],
    [`[${Array.from({ length: 51 }, () => NOTIFICATION).join()}]`, 'invalid_request'],
    ['[1', 'parse_error'],
    ['['.repeat(100), 'parse_error'],
    ['[{"a":1,"a":2}]', 'parse_error'],
    [`["${'x'.repeat(1_100_000)}"]`, 'body_too_large'],
  ])('is refused when it is empty, too long or malformed', (text, code) => {
    expect(() => readBatch(text)).toThrow(expect.objectContaining({ code }))
  })
})

describe('the event line of a batch', () => {
  it.each<[outcomes: (RequestFacts['outcome'] | undefined)[], worst: RequestFacts['outcome']]>([
    [[], 'ok'],
    [[undefined, 'ok'], 'ok'],
    [['ok', 'tool_error', undefined], 'tool_error'],
    [['rpc_error', 'tool_error'], 'rpc_error'],
    [['unknown_tool', 'cancelled', 'ok'], 'unknown_tool'],
    [['rate_limited', 'upstream_failed', 'unknown_tool'], 'upstream_failed'],
  ])('says of %j that it was %s', (outcomes, worst) => {
    const parts = outcomes.map((outcome) => (outcome === undefined ? {} : { outcome }))
    expect(batchFacts(parts, true)).toEqual({ era: 'legacy', outcome: worst })
  })

  it('says that the client left, unless something worse happened', () => {
    expect(batchFacts([{}], false).outcome).toBe('cancelled')
    expect(batchFacts([{ outcome: 'upstream_failed' }], false).outcome).toBe('upstream_failed')
  })
})
