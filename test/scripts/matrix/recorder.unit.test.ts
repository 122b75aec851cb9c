import { describe, expect, it } from 'vitest'
import { createRecorder, type Exchange } from '../../../scripts/matrix/wire/recorder.ts'

const STREAM = { headers: { 'content-type': 'text/event-stream' } }
const JSON_BODY = { headers: { 'content-type': 'application/json' } }

const post = (body: string) =>
  new Request('http://127.0.0.1/mcp', { method: 'POST', body, headers: { 'X-One': '1' } })

async function pass(response: Response, body = '{"id":1,"method":"ping"}') {
  const recorder = createRecorder()
  const answer = await recorder.around(async () => response)(post(body))
  const [exchange] = recorder.exchanges
  if (!exchange) throw new Error('nothing was recorded')
  return { answer, exchange }
}

describe('the recorder of a wire', () => {
  it('keeps a request and the message of its answer, and changes neither', async () => {
    const { answer, exchange } = await pass(new Response('{"id":1,"result":{}}', JSON_BODY))
    expect(exchange.state).toBe('open')
    expect(await answer.text()).toBe('{"id":1,"result":{}}')
    expect(exchange).toMatchObject<Partial<Exchange>>({
      method: 'POST',
      body: '{"id":1,"method":"ping"}',
      sent: { id: 1, method: 'ping' },
      status: 200,
      received: [{ id: 1, result: {} }],
      state: 'ended',
    })
    expect(exchange.headers['x-one']).toBe('1')
  })

  it('knows each event of a stream as soon as it is whole', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const { answer, exchange } = await pass(new Response(readable, STREAM))
    const writer = writable.getWriter()
    const reader = answer.body?.getReader()
    const send = async (text: string) => {
      const written = writer.write(new TextEncoder().encode(text))
      await reader?.read()
      await written
    }
    await send(': open\n\ndata: {"method":"o')
    expect(exchange.received).toEqual([])
    await send('ne"}\n\ndata: {"method":"two"}\n\n')
    expect(exchange.received).toEqual([{ method: 'one' }, { method: 'two' }])
    expect(exchange.state).toBe('open')
  })

  it('tells an answer that nobody wanted any more from one that ended', async () => {
    let cancelled = false
    const body = new ReadableStream({
      cancel() {
        cancelled = true
      },
    })
    const { answer, exchange } = await pass(new Response(body, STREAM))
    await answer.body?.cancel()
    expect(cancelled).toBe(true)
    expect(exchange.state).toBe('cut')
  })

  it('keeps a request that failed, and passes the failure on', async () => {
    const recorder = createRecorder()
    const broken = recorder.around(() => Promise.reject(new Error('no network')))
    await expect(broken(post('no json'))).rejects.toThrow('no network')
    expect(recorder.exchanges[0]).toMatchObject({ state: 'cut', status: 0, received: [] })
    expect(recorder.exchanges[0]?.sent).toBeUndefined()
  })
})
