import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

interface Sent {
  readonly headers: Headers
  readonly body: string
}

const TOOL = {
  name: 'read.it',
  inputSchema: { type: 'object', properties: { area: { type: 'string', 'x-mcp-header': 'Area' } } },
  outputSchema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
}
const ASKED = {
  resultType: 'input_required',
  inputRequests: {
    name: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: {} } },
  },
}

/** One upstream of both eras in this isolate; a test says how it answers calls. */
describe('what an upstream says', () => {
  const sent: Sent[] = []
  let answer: (method: string) => Response | object = () => ({})
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    const server = { path: 'one', name: 'One', endpoints: [{ url: 'https://one.example/mcp' }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status, await created.text()).toBe(201)
  })

  beforeEach(() => {
    sent.length = 0
  })

  async function fetcher(request: Request): Promise<Response> {
    const body = await request.text()
    sent.push({ headers: request.headers, body })
    const { id, method } = JSON.parse(body || '{}')
    if (id === undefined) return new Response(null, { status: 202 })
    const capabilities = { tools: {}, prompts: {}, resources: {} }
    const known: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities },
      initialize: {
        protocolVersion: '2025-11-25',
        capabilities,
        serverInfo: { name: 'one', version: '1' },
      },
      'tools/list': { tools: [TOOL] },
      'prompts/list': { prompts: [{ name: 'ask.it' }] },
      'resources/list': { resources: [{ name: 'x', uri: 'urn:x' }] },
      'resources/templates/list': { resourceTemplates: [] },
    }
    const given = known[method] ?? answer(method)
    if (given instanceof Response) return given
    const isModern = request.headers.has('mcp-method')
    const cache = known[method] ? { ttlMs: 0, cacheScope: 'public' } : {}
    const base = isModern ? { resultType: 'complete', ...cache } : {}
    return Response.json({ jsonrpc: '2.0', id, result: { ...base, ...given } })
  }

  const NAMED: Record<string, object> = {
    'tools/call': { name: 'read.it', arguments: {} },
    'prompts/get': { name: 'ask.it' },
    'resources/read': { uri: 'urn:x' },
  }

  // req: input-required-relayed
  it.each(Object.keys(NAMED))(
    'to %s may be a question, and the answer goes back',
    async (method) => {
      answer = () => ASKED
      const asked = await gateway.fetch('/one/mcp', modern(token, method, { ...NAMED[method] }))
      expect(asked.status).toBe(200)
      expect(await asked.json()).toEqual({ jsonrpc: '2.0', id: 1, result: ASKED })

      answer = () => ({ done: true })
      const inputResponses = { name: { action: 'accept', content: { name: 'Ann' } } }
      const again = { ...NAMED[method], inputResponses }
      const done = await gateway.fetch('/one/mcp', modern(token, method, again, {}, 2))
      expect(await done.json()).toMatchObject({ id: 2, result: { done: true } })
      expect(JSON.parse(sent.at(-1)?.body ?? '{}').params).toMatchObject(again)
    },
  )

  // req: missing-capability-told
  it('of a capability that the client lacks reaches it: 400, -32021', async () => {
    const error = {
      code: -32021,
      message: 'Missing required client capability',
      data: { requiredCapabilities: { elicitation: { url: {} } } },
    }
    answer = () => Response.json({ jsonrpc: '2.0', id: 'lost', error }, { status: 400 })
    const response = await gateway.fetch(
      '/one/mcp',
      modern(token, 'tools/call', { name: 'read.it', arguments: {} }),
    )
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ jsonrpc: '2.0', id: 1, error })
  })

  // req: output-not-corrected
  it('is passed on though it breaks its own output schema, in either era', async () => {
    const result = { content: [], structuredContent: { n: 'seven', extra: [1] } }
    answer = () => result
    const call = { name: 'read.it', arguments: {} }
    const now = await gateway.fetch('/one/mcp', modern(token, 'tools/call', call))
    expect(await now.json()).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: { resultType: 'complete', ...result },
    })
    const then = await gateway.fetch('/one/mcp', legacy(token, 'tools/call', call))
    expect(await then.json()).toEqual({ jsonrpc: '2.0', id: 1, result })
  })

  // req: mirrored-headers-modern-only
  it('in the legacy era was asked without the headers of the modern one', async () => {
    answer = () => ({ content: [] })
    const opened = await gateway.fetch('/one/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    const call = { name: 'read.it', arguments: { area: 'north' } }
    const sentByMistake = {
      'mcp-protocol-version': '2025-11-25',
      'mcp-method': 'tools/call',
      'mcp-name': 'read.it',
      'mcp-param-area': 'north',
      'mcp-param-other': 'x',
    }
    const response = await gateway.fetch(
      '/one/mcp',
      legacy(token, 'tools/call', call, sentByMistake),
    )
    expect(response.status).toBe(200)
    expect(sent).toHaveLength(2)
    for (const { headers } of sent) {
      const names = [...headers.keys()].filter((name) => name.startsWith('mcp-'))
      expect(names.filter((name) => name !== 'mcp-protocol-version')).toEqual([])
    }
  })

  // req: mirrored-name-without-prefix
  it('on a shared endpoint was asked under its own names', async () => {
    answer = () => ({ content: [], messages: [], contents: [] })
    const { tools } = await listed('tools/list')
    const exposed = tools?.find(({ name }) => name.startsWith('one__'))?.name ?? ''
    expect(exposed).toMatch(/^one__read_it_[0-9a-f]{8}$/)
    const asks: [string, Record<string, unknown>, Record<string, string>, string][] = [
      [
        'tools/call',
        { name: exposed, arguments: { area: 'north' } },
        { 'mcp-param-area': 'north' },
        'read.it',
      ],
      ['resources/read', { uri: 'mcp+one+urn:x' }, {}, 'urn:x'],
    ]
    for (const [method, params, headers, own] of asks) {
      sent.length = 0
      const response = await gateway.fetch('/mcp', modern(token, method, params, headers))
      expect(response.status).toBe(200)
      await response.text()
      expect(sent).toHaveLength(1)
      const { headers: hop2, body } = sent[0] ?? { headers: new Headers(), body: '{}' }
      expect(hop2.get('mcp-name')).toBe(own)
      expect(hop2.get('mcp-method')).toBe(method)
      expect(hop2.get('mcp-param-area')).toBe(headers['mcp-param-area'] ?? null)
      expect(body).not.toContain('mcp+one')
      expect(body).not.toContain('one__')
    }
  })

  // req: names-callable
  it('is listed on a shared endpoint under names that can be called', async () => {
    answer = () => ({ content: [{ type: 'text', text: 'ran' }] })
    const { tools } = await listed('tools/list')
    const own = tools?.filter(({ name }) => name.startsWith('one__')) ?? []
    expect(own).toHaveLength(1)
    for (const { name } of own) {
      const call = { name, arguments: {} }
      const response = await gateway.fetch('/mcp', modern(token, 'tools/call', call))
      expect(await response.json()).toMatchObject({ result: { content: [{ text: 'ran' }] } })
    }
  })

  // req: lists-by-rights
  it('is not listed on a shared endpoint for whoever may not use it, whoever asked before', async () => {
    const stranger = await gateway.token({ subject: 'stranger' })
    const names = async (as: string) =>
      (await listed('tools/list', as)).tools?.map(({ name }) => name.split('_')[0])
    expect(await names(token)).toContain('one')
    expect(await names(stranger)).not.toContain('one')
    expect(await names(token)).toContain('one')
  })

  async function listed(method: string, as = token): Promise<{ tools?: { name: string }[] }> {
    const response = await gateway.fetch('/mcp', modern(as, method))
    const { result } = await response.json<{ result: { tools?: { name: string }[] } }>()
    return result ?? {}
  }
})

describe('progress', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    const server = { path: 'slow', name: 'Slow', endpoints: [{ url: inject('modernUrl') }] }
    const body = { ...server, timeoutMs: 1_000 }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(created.status).toBe(201)
  })

  async function call(args: object, meta: object): Promise<Record<string, unknown>[]> {
    const params = { name: 'slow', arguments: args, _meta: meta }
    const response = await gateway.fetch('/slow/mcp', modern(token, 'tools/call', params))
    expect(response.status).toBe(200)
    const text = await response.text()
    const data = text.split('\n').flatMap((line) => /^data: (\{.*)$/.exec(line)?.[1] ?? [])
    return (data.length > 0 ? data : [text]).map((message) => JSON.parse(message))
  }

  // req: progress-own-token
  it('comes under the token of its client, on the stream of its request', async () => {
    const tokens = ['mine', 7, 'mine']
    const streams = await Promise.all(
      tokens.map((progressToken) => call({ steps: 2 }, { progressToken })),
    )
    for (const [index, messages] of streams.entries()) {
      const progress = messages.filter(({ method }) => method === 'notifications/progress')
      expect(progress.map(({ params }) => params)).toMatchObject([
        { progressToken: tokens[index], progress: 1 },
        { progressToken: tokens[index], progress: 2 },
      ])
      expect(messages.at(-1)).toMatchObject({ id: 1, result: {} })
    }
  })

  // req: progress-only-on-token
  it('does not come without a token, nor under that of another, whatever the server says', async () => {
    const said = [undefined, null, 'mine', 'other', 7, 7.5].map((progressToken) => ({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken, progress: 1 },
    }))
    const liar = createTestGateway({
      seams: {
        async fetcher(request) {
          const text = await request.clone().text()
          if (!text.includes('"tools/call"')) return fetch(request)
          const messages = [...said, { jsonrpc: '2.0', id: JSON.parse(text).id, result: {} }]
          const events = messages.map((message) => `data: ${JSON.stringify(message)}\n\n`)
          return new Response(events.join(''), { headers: { 'content-type': 'text/event-stream' } })
        },
      },
    })
    const as = await liar.token()
    const body = { path: 'slow', name: 'Slow', endpoints: [{ url: inject('modernUrl') }] }
    const created = await liar.fetch('/api/v1/servers', rest(as, 'POST', body))
    expect(created.status).toBe(201)
    const told = async (path: string, name: string, meta: object) => {
      const params = { name, arguments: {}, _meta: meta }
      const text = await (await liar.fetch(path, modern(as, 'tools/call', params))).text()
      const messages = text.split('\n').flatMap((line) => /^data: (\{.*)$/.exec(line)?.[1] ?? [])
      expect(JSON.parse(messages.at(-1) ?? '{}')).toMatchObject({ id: 1, result: {} })
      return messages.slice(0, -1).map((message) => JSON.parse(message).params.progressToken)
    }
    for (const [path, name] of [
      ['/slow/mcp', 'slow'],
      ['/mcp', 'slow__slow'],
    ] as const) {
      expect(await told(path, name, {})).toEqual([])
      expect(await told(path, name, { progressToken: 7 })).toEqual([7])
      expect(await told(path, name, { progressToken: 'mine' })).toEqual(['mine'])
    }
    expect(await call({ steps: 2 }, {})).toMatchObject([{ id: 1, result: {} }])
  })

  // req: progress-extends-timeout
  it('puts the timeout of its server off', async () => {
    const messages = await call({ steps: 5, stepMs: 400 }, { progressToken: 'p' })
    expect(messages).toHaveLength(6)
    expect(messages.at(-1)).toMatchObject({
      id: 1,
      result: { content: [{ text: 'slept 5 steps' }] },
    })
  })
})
