import { describe, expect, it } from 'vitest'
import {
  type CallContext,
  createOutbound,
  EndpointId,
  type OutboundFault,
  parsePrivateHosts,
} from '../../../src/core/index.ts'
import { createProbe } from '../../../src/mcp/upstream/probe.ts'

const ENDPOINT = EndpointId.parse('00000000-0000-4000-8000-000000000001')
const ctx = { clock: { now: () => 0 } } as unknown as CallContext

it.each([
  ['no_room', 'up'],
  ['network', 'down'],
] as const)('a server that could not be asked (%s) is %s', async (fault: OutboundFault, kind) => {
  const probe = createProbe({ send: async () => ({ kind: 'fault', fault, message: '' }) })
  const where = { endpoint: ENDPOINT, transport: 'sse', url: 'https://up.example/sse' } as const
  const upstream = {
    server: 'up',
    ...where,
    headers: [],
    timeoutMs: 1_000,
    eras: 'legacy',
  } as const
  expect(await probe(ctx, upstream)).toMatchObject({ kind })
})

describe('a probe', () => {
  const SESSION = { 'mcp-session-id': 'upstream-session' }
  const HELLO = {
    jsonrpc: '2.0',
    id: 'gatehouse-initialize',
    result: { protocolVersion: '2025-11-25', capabilities: {} },
  }

  /** What a probe of an upstream of this era sends. */
  async function probeOnce(eras: 'modern' | 'legacy', answer: (request: Request) => Response) {
    const sent: string[] = []
    const probe = createProbe(
      createOutbound({
        privateHosts: parsePrivateHosts(''),
        async fetcher(request) {
          const { method } = request
          const rpc = method === 'POST' ? JSON.parse(await request.clone().text()).method : ''
          sent.push(`${method} ${rpc} ${request.headers.get('mcp-session-id') ?? '-'}`)
          return answer(request)
        },
      }),
    )
    const upstream = {
      server: 'one',
      endpoint: ENDPOINT,
      transport: 'streamable-http' as const,
      url: 'https://upstream.example/mcp',
      headers: [],
      timeoutMs: 1_000,
      eras,
    }
    return { outcome: await probe(ctx, upstream), sent }
  }

  it('closes the session that it opened', async () => {
    const { outcome, sent } = await probeOnce('legacy', () =>
      Response.json(HELLO, { headers: SESSION }),
    )
    expect(outcome).toEqual({ kind: 'up', latencyMs: 0 })
    expect(sent).toEqual([
      'POST initialize -',
      'POST notifications/initialized upstream-session',
      'DELETE  upstream-session',
    ])
  })

  it('closes a session whose handshake was not answered', async () => {
    const { outcome, sent } = await probeOnce('legacy', () =>
      Response.json({}, { headers: SESSION }),
    )
    expect(outcome).toEqual({
      kind: 'down',
      error: 'The server "one" did not answer the handshake.',
    })
    expect(sent).toEqual(['POST initialize -', 'DELETE  upstream-session'])
  })

  it('is one request in the modern era', async () => {
    const { outcome, sent } = await probeOnce('modern', () => Response.json({}))
    expect(outcome).toEqual({ kind: 'up', latencyMs: 0 })
    expect(sent).toEqual(['POST server/discover -'])
  })

  it('says what failed', async () => {
    const { outcome } = await probeOnce('modern', () => new Response('', { status: 500 }))
    expect(outcome).toMatchObject({ kind: 'down', error: expect.stringContaining('HTTP 500') })
  })
})
