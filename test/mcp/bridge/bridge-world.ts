import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { EndpointId, TenantId } from '../../../src/core/index.ts'
import { createBridgeObject } from '../../../src/mcp/bridge/bridge-object.ts'
import type { HeldCall } from '../../../src/mcp/bridge/bridge-state.ts'
import type { UpstreamRequest } from '../../../src/mcp/upstream/transports.ts'

export const TENANT = TenantId.parse('t-bridge')
export const ENDPOINT = EndpointId.parse('00000000-0000-4000-8000-000000000002')
export const URL_OF_SERVER = 'https://old.example/mcp'
export const FORM = { message: 'Who?', requestedSchema: {} }

/** What the server asks. */
export const ask = (id: unknown, method: string, params: object = FORM) => ({ id, method, params })
/** The answer to `HELD`. */
export const done = { id: 'up', result: { content: [] } }
/** What a client answers to an elicitation. */
export const input = { action: 'accept', content: {} }

/** A call as the gateway hands it to the object. */
export const HELD: HeldCall = {
  ...{ bridge: 'b', callId: 'call-1', endpoint: ENDPOINT, transport: 'streamable-http' },
  ...{ url: URL_OF_SERVER, custom: [], timeoutMs: 1_000, sessionId: 's', version: '2025-11-25' },
  ...{ headers: [], method: 'tools/call', upstreamId: '"up"' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 'up', method: 'tools/call', params: {} }),
  serverInfo: { name: 'old' },
  capabilities: { elicitation: {}, roots: {} },
}

interface Posted {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: unknown
  readonly error?: { readonly code: number }
}

/** A stream that the test writes to. */
interface Told {
  readonly body: ReadableStream<Uint8Array>
  tell(message: object): void
  isCancelled: boolean
}

/** How the server answers, where it is not as it should be. */
interface LegacyServer {
  /** The stream of the session. */
  standalone?: Told
  /** Instead of the stream: the answer as one JSON body. */
  late?: Promise<Response>
  /** What a call gets instead of the stream. */
  refusal?: Response
}

/**
 * A legacy server, which answers as `server` says, and one object before it. What the object asked
 * of the server is in `posted`, the sessions that it closed are in `closed`.
 */
export function world() {
  /** Far ahead: no alarm goes off by itself. */
  const clock = { at: 4_000_000_000_000, now: (): number => clock.at }
  const posted: Posted[] = []
  const closed: unknown[] = []
  /** Answers a call. */
  const stream = told()
  const server: LegacyServer = {}

  async function answer({ method, body = '{}' }: UpstreamRequest): Promise<Response> {
    const { standalone, refusal, late } = server
    if (method === 'GET')
      return standalone ? events(standalone) : new Response(null, { status: 405 })
    const message: Posted = JSON.parse(body)
    posted.push(message)
    if (message.method === 'initialize') {
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {} }
      const headers = { 'mcp-session-id': `upstream-${posted.length}` }
      return Response.json({ jsonrpc: '2.0', id: message.id, result }, { headers })
    }
    if (message.method === 'tools/call' && refusal) return refusal
    if (message.method !== 'tools/call') return new Response(null, { status: 202 })
    return late ?? events(stream)
  }

  const BridgeObject = createBridgeObject({
    clock,
    outbound: () => ({
      send: async (request) => ({ kind: 'response', response: await answer(request) }),
    }),
    close: async (kept) => {
      closed.push(kept)
    },
  })
  return { clock, posted, closed, stream, server, one: bridge(BridgeObject) }
}

export function told(): Told {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const one: Told = {
    isCancelled: false,
    body: new ReadableStream({
      start(opened) {
        controller = opened
      },
      cancel() {
        one.isCancelled = true
      },
    }),
    tell(message) {
      const text = JSON.stringify({ jsonrpc: '2.0', ...message })
      controller?.enqueue(new TextEncoder().encode(`data: ${text}\n\n`))
    },
  }
  return one
}

const events = ({ body }: Told) =>
  new Response(body, { headers: { 'content-type': 'text/event-stream' } })

/** One object with a name of its own. `evict` makes it forget what only its memory holds. */
function bridge(BridgeObject: ReturnType<typeof createBridgeObject>) {
  const stub = env.BRIDGES.getByName(`bridge-object-test-${crypto.randomUUID()}`)
  let object: InstanceType<typeof BridgeObject> | undefined
  const run = <T>(ask: (one: InstanceType<typeof BridgeObject>) => Promise<T>): Promise<T> =>
    runInDurableObject(stub, (_instance, state) => {
      object ??= new BridgeObject(state, env)
      return ask(object)
    }) as Promise<T>
  const post = (path: string, body: object) =>
    run(async (one) => {
      const init = { method: 'POST', body: JSON.stringify(body) }
      const response = await one.fetch(new Request(`http://bridge/${path}`, init))
      return { status: response.status, messages: messagesIn(await response.text()) }
    })
  return {
    call: (change: Partial<HeldCall> = {}) => post('call', { ...HELD, ...change }),
    resume: (inputs: object, callId = 'call-1') =>
      post('resume', { callId, inputs: JSON.stringify(inputs), upstreamId: '"next"' }),
    run,
    alarm: () => run((one) => one.alarm()),
    isEmpty: () =>
      runInDurableObject(stub, async (_one, state) => (await state.storage.list()).size === 0),
    evict(): void {
      object = undefined
    },
    stub,
  }
}

function messagesIn(text: string): Record<string, never>[] {
  const data = text.split('\n').filter((line) => line.startsWith('data: '))
  return data.map((line) => JSON.parse(line.slice('data: '.length)))
}
