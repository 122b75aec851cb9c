import { expect } from 'vitest'
import { readEvents } from './event-reader.ts'
import type { TestGateway } from './gateway.ts'

/** A client of 2024-11-05, by hand: one stream, and where to post. */
export interface SseClient {
  /** Path and query of the messages endpoint. */
  readonly endpoint: string
  /** Posts a body as it is. */
  post(body: string, more?: PostOptions): Promise<Response>
  /** Posts one message and expects 202. */
  say(message: object, more?: PostOptions): Promise<void>
  /** The next message on the stream; undefined at its end. */
  next(): Promise<Record<string, unknown> | undefined>
  /** The next event as it stands; undefined at the end. */
  nextEvent(): Promise<string | undefined>
  /** `initialize` and `notifications/initialized`; gives the result. */
  greet(version?: string): Promise<Record<string, unknown>>
  leave(): Promise<void>
}

export interface PostOptions {
  /** Instead of the token of the stream. */
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Another isolate. */
  readonly on?: TestGateway
}

/** Opens a stream at `/sse` or `/{path}/sse`; its answer must be 200. */
export async function openSse(
  gateway: TestGateway,
  token: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<SseClient> {
  const response = await gateway.fetch(path, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...headers },
  })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const events = readEvents(response)
  const first = /^event: endpoint\ndata: (\S+)$/.exec((await events.next()) ?? '')
  const endpoint = first?.[1] ?? ''
  expect(endpoint).not.toBe('')

  const client: SseClient = {
    endpoint,
    nextEvent: () => events.next(),
    leave: () => events.cancel(),
    post: (body, more = {}) =>
      (more.on ?? gateway).fetch(endpoint, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${more.token ?? token}`,
          'content-type': 'application/json',
          ...more.headers,
        },
        body,
      }),
    async say(message, more) {
      const { status } = await client.post(JSON.stringify({ jsonrpc: '2.0', ...message }), more)
      expect(status).toBe(202)
    },
    async next() {
      for (;;) {
        const event = await events.next()
        if (event === undefined) return undefined
        // Signs of life.
        if (event.startsWith(':')) continue
        const [, data = ''] = /^event: message\n(?:id: .*\n)?data: (.*)/s.exec(event) ?? []
        return JSON.parse(data.replace(/\nid: .*$/s, ''))
      }
    },
    async greet(version = '2024-11-05') {
      const params = {
        protocolVersion: version,
        capabilities: { elicitation: {}, sampling: {} },
        clientInfo: { name: 'sse', version: '1' },
      }
      await client.say({ id: 'hello', method: 'initialize', params })
      const answer = await client.next()
      expect(answer).toMatchObject({ id: 'hello', result: { protocolVersion: expect.any(String) } })
      await client.say({ method: 'notifications/initialized' })
      return Object(answer?.['result'])
    },
  }
  return client
}
