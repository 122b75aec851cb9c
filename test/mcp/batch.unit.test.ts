import { describe, expect, it } from 'vitest'
import { isBatch, readBatch, requireBatchVersion, serveBatch } from '../../src/mcp/batch.ts'

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
    const response = await serveBatch(readBatch(`[${request(1)} , ${NOTIFICATION},${big}]`), serve)
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
    const response = await serveBatch(readBatch(`[${request(1)},${request(2)}]`), serve)
    expect(await response.text()).toBe('data: {}\n\ndata: {}\n\n')
  })

  it('is accepted with 202 when nothing in it wants an answer', async () => {
    const { served, serve } = recorder(() => new Response(null, { status: 202 }))
    const answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
    const response = await serveBatch(readBatch(`[${NOTIFICATION},${answer}]`), serve)
    expect([response.status, await response.text(), served.length]).toEqual([202, '', 2])
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
