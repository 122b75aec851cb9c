import {
  type CallContext,
  EndpointId,
  type Principal,
  ServerId,
  ServerPath,
  systemClock,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { type AskedEndpoint, createAsk } from '../../../src/mcp/ask/ask.ts'
import type { Leg } from '../../../src/mcp/ask/ask-request.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'

export const PRINCIPAL: Principal = {
  issuer: 'i',
  subject: 's',
  kind: 'user',
  tenant: TenantId.parse('t'),
  groups: [],
  scopes: [],
  expiresAt: 0,
  key: 'i#s',
  claims: {},
}

export const SERVER: ServerRecord = {
  id: ServerId.parse('6b4f9d0e-4f0f-4c53-9a45-0d5f0d8e5b11'),
  tenant: PRINCIPAL.tenant,
  path: ServerPath.parse('shop'),
  name: 'Shop',
  owner: 'i#s',
  visibility: 'public',
  allowedGroups: [],
  enabled: true,
  timeoutMs: 1000,
  trustAnnotations: false,
  resilience: {},
  transport: 'streamable-http',
  authStrategy: 'none',
  endpoints: [
    {
      id: EndpointId.parse('6b4f9d0e-4f0f-4c53-9a45-0d5f0d8e5b12'),
      url: 'https://shop.example/mcp',
      weight: 1,
      health: 'healthy',
    },
  ],
  upstream: { eras: 'dual', protocolVersions: [], sessionful: false },
  headers: [],
  tools: new Map([
    [
      'find',
      {
        headerParams: [{ header: 'Zone', path: ['zone'], type: 'string' }],
        readOnly: false,
        idempotent: false,
      },
    ],
  ]),
  prompts: new Set(),
}

/** A session that is open. */
export const LEGACY: Leg = { era: 'legacy', version: '2025-11-25', sessionId: 'sealed' }

/** An endpoint that answers by `reply`, and what reached it. */
export function setUp(reply: (ctx: CallContext) => Response | Promise<Response>) {
  const seen: { method: string; headers: Headers; body: string }[] = []
  const behind: Promise<unknown>[] = []
  const ctx: CallContext = {
    requestId: 'request-1',
    clock: systemClock,
    random: systemRandom,
    caller: new AbortController(),
    facts: {},
    waitUntil: (work) => behind.push(work),
    holdEvent: () => () => undefined,
  }
  const take = async (inner: CallContext, request: Request): Promise<Response> => {
    const { method, headers } = request
    seen.push({ method, headers, body: await request.text() })
    return method === 'DELETE' ? new Response(null, { status: 204 }) : reply(inner)
  }
  const endpoint: AskedEndpoint = {
    post: (inner, _principal, _path, request) => take(inner, request),
    delete: (inner, _principal, _path, request) => take(inner, request),
  }
  const ask = createAsk({ endpoint: () => endpoint })
  const call = (leg: Leg, method: string, params = {}, maxBytes?: number) =>
    ask.request(ctx, PRINCIPAL, SERVER, leg, { method, params }, maxBytes)
  return { ask, call, ctx, seen, behind }
}

/** An answer as one JSON body; text stands as it is. */
export const json = (body: unknown, headers = {}) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), {
    headers: { 'content-type': 'application/json', ...headers },
  })
const streamOf = (chunks: string[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    },
  })
/** An answer as events, in these pieces. */
export const stream = (...chunks: string[]) =>
  new Response(streamOf(chunks), {
    headers: { 'content-type': 'text/event-stream' },
  })
export const OK = { jsonrpc: '2.0', id: 1, result: { content: [] } }
