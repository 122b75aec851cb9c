import { describe, expect, it } from 'vitest'
import { EndpointId, type OutboundRequest, type OutboundResult } from '../../../src/core/index.ts'
import { askLegacySide } from '../../../src/mcp/upstream/legacy-side.ts'
import { openSession } from '../../../src/mcp/upstream/open-session.ts'

type Answer = OutboundResult | (() => OutboundResult)

/** Answers one after another, and the requests that got them. */
function outboundOf(...answers: Answer[]) {
  const seen: OutboundRequest[] = []
  const outbound = {
    async send(request: OutboundRequest): Promise<OutboundResult> {
      seen.push(request)
      const answer = answers.shift() ?? reply('', { status: 202 })
      return typeof answer === 'function' ? answer() : answer
    },
    getJson: async () => undefined,
  }
  return { outbound, seen }
}

const reply = (body: string, init: ResponseInit = {}): OutboundResult => ({
  kind: 'response',
  response: new Response(body, {
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  }),
})
const ID = '"gatehouse-initialize"'
const SESSION = { headers: { 'mcp-session-id': 'theirs' } }
const hello = (version: unknown = '2025-11-25') =>
  reply(
    JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(ID), result: { protocolVersion: version } }),
    SESSION,
  )
const fault = (kind: 'timeout' | 'network' | 'cancelled' | 'redirect'): OutboundResult => ({
  kind: 'fault',
  fault: kind,
  message: '',
})
const broken = (): OutboundResult => {
  const body = new ReadableStream({ start: (controller) => controller.error(new Error('cut')) })
  const headers = { 'content-type': 'application/json' }
  return { kind: 'response', response: new Response(body, { headers }) }
}

const input = {
  server: 'shop',
  endpoint: EndpointId.parse('00000000-0000-4000-8000-000000000001'),
  transport: 'streamable-http' as const,
  url: 'https://shop.example/',
  custom: [],
  timeoutMs: 60_000,
  hello: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} },
}

describe('the legacy handshake', () => {
  it('opens a session, and says that the endpoint is alive', async () => {
    const { outbound } = outboundOf(hello())
    expect(await openSession(outbound, input)).toEqual({
      kind: 'open',
      sessionId: 'theirs',
      version: '2025-11-25',
      outcome: 'success',
    })
  })

  it.each<[string, Answer, string, string | undefined]>([
    ['silence', fault('timeout'), 'upstream_timeout', 'failure'],
    ['a broken connection', fault('network'), 'upstream_failed', 'failure'],
    ['a caller that left', fault('cancelled'), 'upstream_failed', undefined],
    ['a redirect', fault('redirect'), 'upstream_failed', 'failure'],
    ['HTTP 503', reply('', { status: 503 }), 'upstream_failed', 'failure'],
    ['half an answer', broken, 'upstream_failed', 'failure'],
    ['HTTP 400', reply('{}', { status: 400 }), 'upstream_failed', 'success'],
    ['an error', reply(`{"jsonrpc":"2.0","id":${ID},"error":{}}`), 'upstream_failed', 'success'],
    ['no message', reply('hello'), 'upstream_failed', 'success'],
    ['no version', hello(null), 'upstream_failed', 'success'],
  ])(
    'fails for %s, and says what that means for its breaker',
    async (_what, answer, code, outcome) => {
      const { outbound } = outboundOf(answer)
      expect(await openSession(outbound, input)).toMatchObject({
        kind: 'failed',
        error: { code },
        outcome,
      })
    },
  )

  it('closes a session that it opened in vain, and waits at most 5 s for that', async () => {
    for (const answers of [
      [reply(`{"jsonrpc":"2.0","id":${ID},"error":{}}`, SESSION)],
      [hello(null)],
      [hello(), fault('timeout')],
    ]) {
      const { outbound, seen } = outboundOf(...answers)
      await openSession(outbound, input)
      const last = seen.at(-1)
      expect(last).toMatchObject({ method: 'DELETE', timeoutMs: 5_000 })
      expect(last?.headers.get('mcp-session-id')).toBe('theirs')
    }
  })

  it('ends with its caller', async () => {
    const { outbound, seen } = outboundOf(hello())
    const { signal } = new AbortController()
    await openSession(outbound, input, signal)
    expect(seen.map((request) => request.signal)).toEqual([signal, signal])
  })
})

describe('the legacy side of a modern server', () => {
  const { endpoint, transport, url } = input
  const address = { endpoint, transport, url, headers: [], timeoutMs: 1_000 }

  it.each<[string, Answer]>([
    ['silent', fault('timeout')],
    ['out of reach', fault('network')],
    ['starting', reply('', { status: 503 })],
    ['left by its caller', fault('cancelled')],
  ])('stays unsettled while it is %s', async (_what, answer) => {
    const { outbound } = outboundOf(answer)
    expect(await askLegacySide(outbound, 'shop', address)).toMatchObject({ kind: 'unsettled' })
  })

  it('is settled by a refusal: it has none', async () => {
    const { outbound } = outboundOf(reply('{}', { status: 400 }))
    expect(await askLegacySide(outbound, 'shop', address)).toEqual({
      kind: 'settled',
      side: undefined,
      outcome: 'success',
      status: 400,
    })
  })
})
