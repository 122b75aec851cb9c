import { beforeEach, describe, expect, it } from 'vitest'
import { type EventReader, readEvents } from '../support/event-reader.ts'
import { createTestGateway, hello, legacy, rest, type TestGateway } from '../support/gateway.ts'

interface Message {
  readonly id: string
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly code: number; readonly message: string }
}

/** The shortest that a server may have. */
const TIMEOUT_MS = 1_000
/** Signs of life of the server below: some in every `TIMEOUT_MS`, together more than that. */
const PIECE_MS = 250
const PIECES = 6

const EVENTS = { headers: { 'content-type': 'text/event-stream' } }
const ASKED = {
  resultType: 'input_required',
  inputRequests: {
    who: {
      method: 'elicitation/create',
      params: { mode: 'form', message: 'Who?', requestedSchema: { type: 'object' } },
    },
  },
}

/**
 * A server of the modern era alone. Its tools ask who calls, and say what they are named for when
 * they know: at once, `progress` or `comments` for a while before, or `forever`.
 */
describe('rounds of a call to a modern server', () => {
  let gateway: TestGateway
  let token: string
  let isFailing = false

  async function fetcher(request: Request): Promise<Response> {
    if (isFailing) return new Response('no', { status: 500 })
    const { id, method, params }: Message = await request.json()
    const complete = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }
    const answer = (result: object) => ({ jsonrpc: '2.0', id, result })
    if (method === 'server/discover') {
      const capabilities = { tools: {} }
      const facts = { supportedVersions: ['2026-07-28'], capabilities, ...complete }
      return Response.json(answer(facts))
    }
    if (method === 'tools/list') return Response.json(answer({ tools: [], ...complete }))
    if (method !== 'tools/call') {
      const error = { code: -32601, message: 'Method not found' }
      return Response.json({ jsonrpc: '2.0', id, error }, { status: 404 })
    }
    if (!params?.['inputResponses']) return Response.json(answer(ASKED))
    const last = answer({ resultType: 'complete', content: [{ type: 'text', text: 'done' }] })
    const name = params['name']
    if (name === 'now') return Response.json(last)
    if (name === 'refusing') {
      const error = { code: -32602, message: 'No such name' }
      return Response.json({ jsonrpc: '2.0', id, error }, { status: 400 })
    }
    return new Response(living(String(name), last), EVENTS)
  }

  function living(kind: string, last: object): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder()
    const progress = { method: 'notifications/progress', params: { progressToken: 't' } }
    const told = `data: ${JSON.stringify({ jsonrpc: '2.0', ...progress })}\n\n`
    let pieces = 0
    return new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, PIECE_MS))
        pieces += 1
        const isLast = pieces === PIECES && kind !== 'forever'
        const piece = kind === 'comments' ? ': still here\n\n' : told
        const text = isLast ? `data: ${JSON.stringify(last)}\n\n` : piece
        controller.enqueue(encoder.encode(text))
        if (isLast) controller.close()
      },
    })
  }

  beforeEach(() => {
    isFailing = false
  })

  async function open(resilience: object = {}) {
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    const endpoints = [{ url: 'https://new.example/mcp' }]
    const body = { path: 'new', name: 'new', timeoutMs: TIMEOUT_MS, endpoints, resilience }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(created.status).toBe(201)
    const params = { ...hello(), capabilities: { elicitation: { form: {} } } }
    const response = await gateway.fetch('/new/mcp', legacy(token, 'initialize', params))
    const headers = {
      'mcp-session-id': response.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const call = (name: string) => {
      const asked = { name, arguments: {}, _meta: { progressToken: 't' } }
      return gateway.fetch('/new/mcp', legacy(token, 'tools/call', asked, headers, 'mine'))
    }
    const answer = async ({ id }: Message) => {
      const result = { action: 'accept', content: { name: 'Ada' } }
      const init = legacy(token, '', {}, headers)
      const text = JSON.stringify({ jsonrpc: '2.0', id, result })
      expect((await gateway.fetch('/new/mcp', { ...init, body: text })).status).toBe(202)
    }
    return { call, answer }
  }

  /** The next request of the server, or the answer. */
  async function next(events: EventReader): Promise<Message> {
    for (;;) {
      const event = await events.next()
      if (event === undefined) throw new Error('the stream has ended')
      const data = event.split('\n').find((line) => line.startsWith('data: '))
      const message: Message = data ? JSON.parse(data.slice('data: '.length)) : { id: '' }
      if (data && message.method !== 'notifications/progress') return message
    }
  }

  const DONE = { id: 'mine', result: { content: [{ type: 'text', text: 'done' }] } }

  it('may take longer than its server may be silent, where it tells of progress', async () => {
    const { call, answer } = await open()
    const events = readEvents(await call('progress'))
    await answer(await next(events))
    expect(await next(events)).toMatchObject(DONE)
  })

  it('may take longer than that while its server sends nothing but comments', async () => {
    const { call, answer } = await open()
    const events = readEvents(await call('comments'))
    await answer(await next(events))
    expect(await next(events)).toMatchObject(DONE)
  })

  it('go on when a person needed longer to answer than a server may', async () => {
    const { call, answer } = await open()
    const events = readEvents(await call('now'))
    const asked = await next(events)
    const last = next(events)
    const now = Date.now()
    const waited = () => Date.now() - now
    await expect.poll(waited, { timeout: 5_000 }).toBeGreaterThan(1.5 * TIMEOUT_MS)
    await answer(asked)
    expect(await last).toMatchObject(DONE)
  })

  it('are bounded as one call', async () => {
    const { call, answer } = await open({ deadlineMs: 900 })
    const response = await call('forever')
    const events = readEvents(response)
    await answer(await next(events))
    const { id, error } = await next(events)
    expect([id, error?.message]).toEqual(['mine', 'The server "new" did not finish within 900 ms.'])
    await expect
      .poll(() => gateway.events.find(({ tool }) => tool === 'forever'))
      .toMatchObject({ outcome: 'upstream_timeout' })
  })

  it('are over when their time is, though the client was asked', async () => {
    const { call } = await open({ deadlineMs: 300 })
    const events = readEvents(await call('now'))
    await next(events)
    expect((await next(events)).error?.message).toContain('did not answer in time')
  })

  const breaker = { failureThreshold: 1, openMs: 100 }

  it.each(['now', 'refusing'])(
    'are let through with the first, though others wait for what it finds out (%s)',
    async (name) => {
      const { call, answer } = await open({ breaker })
      isFailing = true
      expect(await (await call('now')).text()).toContain('HTTP 500')
      isFailing = false
      let events: EventReader | undefined
      let asked: Message | undefined
      await expect
        .poll(async () => {
          const response = await call(name)
          events = response.status === 200 ? readEvents(response) : undefined
          asked =
            response.headers.get('content-type')?.includes('event') && events
              ? await next(events)
              : undefined
          return asked?.method
        })
        .toBe('elicitation/create')
      if (!events || !asked) return
      await answer(asked)
      const last = await next(events)
      expect(last.error?.message ?? 'none').toBe(name === 'now' ? 'none' : 'No such name')
      // What was found out is known: the next call is no probe.
      expect((await call(name)).status).toBe(200)
    },
  )

  it('are not refused half-way because of what others have seen', async () => {
    const { call, answer } = await open({ breaker: { failureThreshold: 1 } })
    const events = readEvents(await call('now'))
    const asked = await next(events)
    isFailing = true
    expect(await (await call('now')).text()).toContain('HTTP 500')
    isFailing = false
    expect(await (await call('now')).text()).toContain('is failing')
    await answer(asked)
    expect(await next(events)).toMatchObject(DONE)
  })
})
