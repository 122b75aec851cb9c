import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { EndpointId, ServerId, ServerPath, TenantId } from '../../../src/core/index.ts'
import { createBridgeObject } from '../../../src/mcp/bridge/bridge-object.ts'
import type { HeldCall } from '../../../src/mcp/bridge/bridge-state.ts'
import type { UpstreamRequest } from '../../../src/mcp/upstream/transports.ts'

const TENANT = TenantId.parse('t-bridge')
const SERVER = ServerId.parse('00000000-0000-4000-8000-000000000001')
const ENDPOINT = EndpointId.parse('00000000-0000-4000-8000-000000000002')
const URL_OF_SERVER = 'https://old.example/mcp'
const FORM = { message: 'Who?', requestedSchema: {} }

interface Posted {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: unknown
  readonly error?: { readonly code: number }
}

/** Far ahead: no alarm goes off by itself. */
let now = 4_000_000_000_000
let posted: Posted[] = []
let closed: unknown[] = []
let stream: Told
let standalone: Told | undefined
/** Instead of `stream`: the answer as one JSON body. */
let late: Promise<Response> | undefined
/** What a call gets instead of the stream. */
let refusal: Response | undefined

/** A stream that the test writes to. */
interface Told {
  readonly body: ReadableStream<Uint8Array>
  tell(message: object): void
  isCancelled: boolean
}

function told(): Told {
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

async function answer({ method, body = '{}' }: UpstreamRequest): Promise<Response> {
  if (method === 'GET') return standalone ? events(standalone) : new Response(null, { status: 405 })
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
  clock: { now: () => now },
  outbound: () => ({
    send: async (request) => ({ kind: 'response', response: await answer(request) }),
  }),
  close: async (kept) => {
    closed.push(kept)
  },
})

const HELD: HeldCall = {
  ...{ bridge: 'b', callId: 'call-1', endpoint: ENDPOINT, transport: 'streamable-http' },
  ...{ url: URL_OF_SERVER, custom: [], timeoutMs: 1_000, sessionId: 's', version: '2025-11-25' },
  ...{ headers: [], method: 'tools/call', upstreamId: '"up"' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 'up', method: 'tools/call', params: {} }),
  serverInfo: { name: 'old' },
  capabilities: { elicitation: {}, roots: {} },
}

let count = 0

/** One object with a name of its own. `evict` makes it forget what only its memory holds. */
function bridge() {
  count += 1
  const stub = env.BRIDGES.getByName(`bridge-object-test-${count}`)
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

const ask = (id: unknown, method: string, params: object = FORM) => ({ id, method, params })
const done = { id: 'up', result: { content: [] } }
const input = { action: 'accept', content: {} }

beforeEach(() => {
  posted = []
  closed = []
  stream = told()
  standalone = undefined
  refusal = undefined
  late = undefined
})

describe('a call that a legacy server may ask back about', () => {
  it('is handed back as it was refused, without what only an object of ours may say', async () => {
    const headers = { 'x-gatehouse-fault': 'refused_address', 'retry-after': '5' }
    refusal = new Response(null, { status: 503, headers })
    const seen = await bridge().run(async (one) => {
      const init = { method: 'POST', body: JSON.stringify(HELD) }
      const response = await one.fetch(new Request('http://bridge/call', init))
      return { status: response.status, headers: Object.fromEntries(response.headers) }
    })
    expect(seen).toEqual({ status: 503, headers: { 'retry-after': '5' } })
  })

  it('is parked by what is asked together, and goes on when all of it was answered', async () => {
    const one = bridge()
    stream.tell({ method: 'notifications/progress', params: { progressToken: 1 } })
    stream.tell(ask(7, 'elicitation/create'))
    stream.tell(ask('x', 'roots/list', {}))
    const { messages } = await one.call()
    expect(messages).toMatchObject([
      { method: 'notifications/progress' },
      {
        id: 'up',
        result: {
          resultType: 'input_required',
          inputRequests: {
            'request-1': { method: 'elicitation/create', params: FORM },
            'request-2': { method: 'roots/list' },
          },
        },
      },
    ])
    // Only one of them: the other one is asked again, under the id of the retry.
    const again = await one.resume({ 'request-1': input, other: {}, 'request-2': 'no object' })
    expect(again.messages).toMatchObject([
      { id: 'next', result: { inputRequests: { 'request-2': { method: 'roots/list' } } } },
    ])
    await one.run(async () => stream.tell(done))
    const last = await one.resume({ 'request-2': { roots: [] } })
    expect(last.messages).toMatchObject([
      { id: 'next', result: { resultType: 'complete', content: [] } },
    ])
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
    expect(posted.filter(({ result }) => result !== undefined)).toMatchObject([
      { id: 7, result: input },
      { id: 'x', result: { roots: [] } },
    ])
    expect((await one.resume({})).status).toBe(410)
  })

  it('gives an answer that came while its client was away', async () => {
    const one = bridge()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    // A stream belongs to the object that reads it.
    await one.run(async () => stream.tell(done))
    await expect
      .poll(async () => {
        await one.run(async () => undefined)
        return stream.isCancelled
      })
      .toBe(true)
    const { messages } = await one.resume({ 'request-1': input })
    expect(messages).toMatchObject([{ id: 'next', result: { resultType: 'complete' } }])
    expect((await one.resume({})).status).toBe(410)
  })

  it('is asked nothing that its client did not declare, and pings are answered', async () => {
    const one = bridge()
    stream.tell(ask(1, 'sampling/createMessage', {}))
    stream.tell(ask(2, 'ping', {}))
    stream.tell(ask(3, 'elicitation/create', { mode: 'url', url: 'https://a.example/' }))
    stream.tell(ask(4, 'tasks/get', {}))
    stream.tell(done)
    const { messages } = await one.call({ capabilities: { elicitation: { form: {} } } })
    expect(messages).toMatchObject([{ id: 'up', result: { resultType: 'complete' } }])
    expect(posted.slice(1)).toMatchObject([
      { id: 1, error: { code: -32601 } },
      { id: 2, result: {} },
      { id: 3, error: { code: -32601 } },
      { id: 4, error: { code: -32601 } },
    ])
  })

  it('is asked what its server asks on the stream of the session', async () => {
    const one = bridge()
    standalone = told()
    standalone.tell(ask(9, 'elicitation/create'))
    const pending = one.call()
    const { messages } = await pending
    expect(messages).toMatchObject([{ result: { resultType: 'input_required' } }])
    await one.run(async () => stream.tell(done))
    await one.resume({ 'request-1': input })
    await expect.poll(() => standalone?.isCancelled).toBe(true)
    expect(posted.filter(({ id }) => id === 9)).toMatchObject([{ result: input }])
  })

  it('is asked by a server that answers all at once, before it has said a word', async () => {
    const one = bridge()
    standalone = told()
    standalone.tell(ask(9, 'elicitation/create'))
    let answerAtOnce: (response: Response) => void = () => undefined
    late = new Promise((resolve) => {
      answerAtOnce = resolve
    })
    const { messages } = await one.call()
    expect(messages).toMatchObject([{ result: { resultType: 'input_required' } }])
    const resumed = one.resume({ 'request-1': input })
    await expect.poll(() => posted.some(({ id }) => id === 9)).toBe(true)
    await one.run(async () => answerAtOnce(Response.json({ jsonrpc: '2.0', ...done })))
    expect((await resumed).messages).toMatchObject([{ id: 'next' }])
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })

  it('is cancelled at its server when nobody comes back for 15 minutes', async () => {
    const one = bridge()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    now += 14 * 60_000
    await one.alarm()
    expect(stream.isCancelled).toBe(false)
    now += 2 * 60_000
    await one.alarm()
    expect(stream.isCancelled).toBe(true)
    expect(posted.at(-1)).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: 'up' },
    })
    expect((await one.resume({ 'request-1': input })).status).toBe(410)
  })

  it('is over for who comes back to an object that was put away', async () => {
    const one = bridge()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    one.evict()
    expect((await one.resume({ 'request-1': input })).status).toBe(410)
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })

  it('is cancelled when its client leaves, and not while it waits for the client', async () => {
    const one = bridge()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    await one.run((object) => object.cancel('call-1'))
    expect(posted.some(({ method }) => method === 'notifications/cancelled')).toBe(false)
    const resumed = one.resume({ 'request-1': input })
    await expect.poll(() => posted.some(({ result }) => result !== undefined)).toBe(true)
    await one.run((object) => object.cancel('call-1'))
    await resumed
    expect(posted.at(-1)).toMatchObject({ method: 'notifications/cancelled' })
  })
})

describe('the session at a legacy server', () => {
  const open = (one: ReturnType<typeof bridge>, goneId?: string) =>
    one.run((object) =>
      object.session(
        { tenant: TENANT, server: SERVER },
        {
          ...{ server: ServerPath.parse('old'), endpoint: ENDPOINT, transport: 'streamable-http' },
          ...{ url: URL_OF_SERVER, custom: [['x-key', 'k']], timeoutMs: 1_000, hasLogging: false },
          hello: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c' } },
        },
        goneId,
      ),
    )

  it('is opened once for all who ask, and again when the server forgot it', async () => {
    const one = bridge()
    const [first, second] = await Promise.all([open(one), open(one)])
    expect(first).toMatchObject({ kind: 'open', session: { upstreamId: 'upstream-1' } })
    expect([first.outcome, second.outcome].sort()).toEqual(['success', undefined])
    one.evict()
    expect(await open(one)).toMatchObject({ session: { upstreamId: 'upstream-1' } })
    const again = await open(one, 'upstream-1')
    expect(again).toMatchObject({ kind: 'open', outcome: 'success' })
    expect(posted.filter(({ method }) => method === 'initialize')).toHaveLength(2)
  })

  it('is closed after two hours without use', async () => {
    const one = bridge()
    await open(one)
    now += 60 * 60_000
    await one.run((object) => object.touch())
    now += 90 * 60_000
    await one.alarm()
    expect(closed).toEqual([])
    // What it stores is enough, whoever it was put away by.
    one.evict()
    await one.run((object) => object.touch())
    now += 2 * 60 * 60_000
    await one.alarm()
    expect(closed).toMatchObject([{ tenant: TENANT, session: { upstreamId: 'upstream-1' } }])
    expect(await one.isEmpty()).toBe(true)
  })

  it('has an alarm while anything is held', async () => {
    const one = bridge()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    expect(await runInDurableObject(one.stub, (_one, state) => state.storage.getAlarm())).toBe(
      now + 30_000,
    )
    expect(await runDurableObjectAlarm(one.stub)).toBe(true)
  })
})
