import { describe, expect, it } from 'vitest'
import { type MessageEventsOptions, messageEvents } from '../../../src/mcp/sse/message-events.ts'

const STREAM = { 'content-type': 'text/event-stream' }
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
const answer = (id: number, more = '') => `{"jsonrpc":"2.0","id":${id},"result":{${more}}}`
const PROGRESS = '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
const LARGE = `"text":"${'x'.repeat(300_000)}"`

async function eventsOf(
  text: string,
  headers: Record<string, string>,
  options?: MessageEventsOptions,
  chunkBytes = Number.POSITIVE_INFINITY,
) {
  const bytes = new TextEncoder().encode(text)
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
        controller.enqueue(bytes.slice(at, Math.min(at + chunkBytes, bytes.byteLength)))
        if (chunkBytes === Number.POSITIVE_INFINITY) break
      }
      controller.close()
    },
  })
  const events = messageEvents(new Response(body, { headers }), options)
  const written = await new Response(events.readable).text()
  return { written, isAnswered: events.isAnswered(), lastEventId: events.lastEventId() }
}

describe('an answer as events of 2024-11-05', () => {
  it.each([Number.POSITIVE_INFINITY, 1, 7])(
    'is each message in an event (chunks of %d)',
    async (size) => {
      const stream = `: hello\n\nretry: 5\nid: p\ndata:\n\nid: 1\ndata: ${PROGRESS}\n\nevent: message\nid: 2\ndata: ${answer(1)}\n\n`
      expect(await eventsOf(stream, STREAM, {}, size)).toEqual({
        written: `event: message\ndata: ${PROGRESS}\n\nevent: message\ndata: ${answer(1)}\n\n`,
        isAnswered: true,
        lastEventId: '2',
      })
    },
  )

  it('knows a stream that ended without its answer, and where', async () => {
    expect(await eventsOf(`id: left\ndata: ${PROGRESS}\n\n`, STREAM)).toMatchObject({
      isAnswered: false,
      lastEventId: 'left',
    })
    expect(await eventsOf('', STREAM)).toEqual({ written: '', isAnswered: false })
  })

  it.each([16_384, 1_000_000])(
    'passes a large message as it flows (chunks of %d)',
    async (size) => {
      const large = answer(7, LARGE)
      const stream = `id: 9\nevent: message\ndata: ${large}\n\ndata: ${PROGRESS}\n\n`
      expect(await eventsOf(stream, STREAM, {}, size)).toEqual({
        written: `event: message\ndata: ${large}\n\nevent: message\ndata: ${PROGRESS}\n\n`,
        isAnswered: true,
        lastEventId: '9',
      })
      const cut = await eventsOf(stream.slice(0, -200), STREAM, {}, size)
      expect(cut.isAnswered).toBe(false)
    },
  )

  it.each([Number.POSITIVE_INFINITY, 3])(
    'is one event of a JSON body (chunks of %d)',
    async (size) => {
      const pretty = '{\r\n  "jsonrpc": "2.0",\n  "id": 1,\n  "result": {"ü": "\\n"}\n}'
      const { written, isAnswered } = await eventsOf(pretty, JSON_TYPE, {}, size)
      expect(isAnswered).toBe(true)
      expect(written).toMatch(/^event: message\ndata: [^\r\n]*\n\n$/)
      expect(JSON.parse(written.slice('event: message\ndata: '.length))).toEqual(JSON.parse(pretty))
    },
  )

  it('shows each message before it passes, and takes an id for its event', async () => {
    const seen: string[] = []
    const onMessage = async (json: string) => {
      seen.push(json)
      return json.includes('result') ? 'resume-here' : undefined
    }
    const stream = `data: ${PROGRESS}\n\ndata: ${answer(1)}\n\n`
    expect((await eventsOf(stream, STREAM, { onMessage })).written).toBe(
      `event: message\ndata: ${PROGRESS}\n\nevent: message\nid: resume-here\ndata: ${answer(1)}\n\n`,
    )
    expect((await eventsOf(answer(1), JSON_TYPE, { onMessage })).written).toBe(
      `event: message\ndata: ${answer(1)}\nid: resume-here\n\n`,
    )
    expect(seen).toEqual([PROGRESS, answer(1), answer(1)])
  })

  it('leaves unfinished what breaks off, and is not answered', async () => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('{"jsonrpc":'))
        controller.error(new Error('broke off'))
      },
    })
    const events = messageEvents(new Response(body, { headers: JSON_TYPE }))
    await expect(new Response(events.readable).text()).rejects.toThrow('broke off')
    expect(events.isAnswered()).toBe(false)
  })
})
