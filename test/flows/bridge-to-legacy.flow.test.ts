import { beforeAll, describe, expect, inject, it } from 'vitest'
import { readEvents } from '../support/event-reader.ts'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'

interface Answer {
  readonly id: unknown
  readonly result: Record<string, unknown>
  readonly error: { code: number; message: string }
}

/** The reference server speaks the legacy era alone. */
describe('a modern client of a legacy server', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    const endpoints = [{ url: inject('everythingUrl') }]
    const body = { path: 'everything', name: 'everything', endpoints }
    const response = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(response.status).toBe(201)
  })

  /** Every message of an answer, the answer last. */
  async function messages(response: Response): Promise<Answer[]> {
    if (response.headers.get('content-type') === 'application/json') return [await response.json()]
    const events = readEvents(response)
    const all: Answer[] = []
    for (let event = await events.next(); event !== undefined; event = await events.next()) {
      const data = event.split('\n').find((line) => line.startsWith('data: '))
      if (data) all.push(JSON.parse(data.slice('data: '.length)))
    }
    return all
  }

  const ask = (
    method: string,
    params: Record<string, unknown> = {},
    { path = '/everything/mcp', capabilities = {}, meta = {} } = {},
  ) => {
    const _meta = { [CAPABILITIES]: capabilities, ...meta }
    return gateway.fetch(path, modern(token, method, { ...params, _meta }, {}, 'mine'))
  }

  const last = async (response: Promise<Response>) => (await messages(await response)).at(-1)

  it('is told what the server is, by what was stored of it', async () => {
    const { result } = (await last(ask('server/discover'))) ?? {}
    expect(result).toMatchObject({
      resultType: 'complete',
      supportedVersions: expect.arrayContaining(['2026-07-28']),
      capabilities: { tools: {}, prompts: {}, resources: {}, logging: {} },
      cacheScope: 'private',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'mcp-servers/everything' } },
    })
    expect(result?.['capabilities']).not.toHaveProperty('tasks')
  })

  it.each([
    ['/everything/mcp', 'echo'],
    ['/mcp', 'everything__echo'],
  ])('calls a tool at %s', async (path, name) => {
    const answer = await last(ask('tools/call', { name, arguments: { message: 'ü' } }, { path }))
    expect(answer).toMatchObject({
      id: 'mine',
      result: { resultType: 'complete', content: [{ type: 'text', text: 'Echo: ü' }] },
    })
  })

  it('lists what may be kept no longer than the call', async () => {
    const answer = await last(ask('tools/list'))
    expect(answer?.result).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    expect(answer?.result['tools']).toContainEqual(expect.objectContaining({ name: 'echo' }))
    const shared = await last(ask('tools/list', {}, { path: '/mcp' }))
    expect(shared?.result['tools']).toContainEqual(
      expect.objectContaining({ name: 'everything__echo' }),
    )
  })

  it('costs one fetch and no object for a steady call', async () => {
    const call = () => ask('tools/call', { name: 'echo', arguments: { message: 'x' } })
    for (let warm = 0; warm < 2; warm += 1) await messages(await call())
    gateway.work.fetches = 0
    gateway.work.objects = 0
    gateway.work.d1 = 0
    await messages(await call())
    expect(gateway.work).toEqual({ fetches: 1, d1: 0, objects: 0, told: 0 })
  })

  const forms = { capabilities: { elicitation: {} } }
  const elicit = { name: 'trigger-elicitation-request', arguments: {} }

  // req: input-required-bridged
  it('is asked by a result, and its retry goes on with the same call', async () => {
    const asked = await last(ask('tools/call', elicit, forms))
    expect(asked?.result).toMatchObject({
      resultType: 'input_required',
      inputRequests: {
        'request-1': { method: 'elicitation/create', params: { message: expect.any(String) } },
      },
      requestState: expect.stringMatching(/^[\w.-]+$/),
    })
    const requestState = asked?.result['requestState']
    const inputResponses = {
      'request-1': { action: 'accept', content: { name: 'Ada', check: true } },
    }
    const retry = { ...elicit, requestState, inputResponses }
    const answer = await last(ask('tools/call', retry, forms))
    expect(answer?.result).toMatchObject({ resultType: 'complete' })
    expect(JSON.stringify(answer?.result)).toContain('Ada')
    // Once, whatever comes of it.
    expect((await last(ask('tools/call', retry, forms)))?.error).toMatchObject({ code: -32602 })
  })

  it('goes on with nothing when the arguments are others', async () => {
    const asked = await last(ask('tools/call', elicit, forms))
    const requestState = asked?.result['requestState']
    const change = { ...elicit, arguments: { other: 1 }, requestState, inputResponses: {} }
    expect((await last(ask('tools/call', change, forms)))?.error).toMatchObject({ code: -32602 })
  })

  it('is asked again for what it did not answer', async () => {
    const asked = await last(ask('tools/call', elicit, forms))
    const requestState = asked?.result['requestState']
    const retry = { ...elicit, requestState, inputResponses: {} }
    const again = await last(ask('tools/call', retry, forms))
    expect(again?.result).toMatchObject({ resultType: 'input_required' })
    expect(again?.result['requestState']).not.toBe(requestState)
  })

  it('samples for the server', async () => {
    const sampling = { capabilities: { sampling: {} } }
    const sample = { name: 'trigger-sampling-request', arguments: { prompt: 'hi', maxTokens: 5 } }
    const asked = await last(ask('tools/call', sample, sampling))
    expect(asked?.result['inputRequests']).toMatchObject({
      'request-1': { method: 'sampling/createMessage', params: { maxTokens: 5 } },
    })
    const requestState = asked?.result['requestState']
    const result = { role: 'assistant', content: { type: 'text', text: 'hello there' }, model: 'm' }
    const retry = { ...sample, requestState, inputResponses: { 'request-1': result } }
    const answer = await last(ask('tools/call', retry, sampling))
    expect(JSON.stringify(answer?.result)).toContain('hello there')
  })

  it('has no tool that needs what it cannot do', async () => {
    const answer = await last(ask('tools/call', elicit))
    expect(answer?.error ?? answer?.result['isError']).toBeTruthy()
  })

  it('is told of progress under its own token', async () => {
    const name = 'trigger-long-running-operation'
    const params = { name, arguments: { duration: 0.2, steps: 2 } }
    const all = await messages(await ask('tools/call', params, { meta: { progressToken: 'mine' } }))
    const told = all.filter((one) => 'method' in one && one.method === 'notifications/progress')
    expect(told).toHaveLength(2)
    expect(told[0]).toMatchObject({ params: { progressToken: 'mine', progress: 1, total: 2 } })
    expect(all.at(-1)).toMatchObject({ id: 'mine', result: { resultType: 'complete' } })
  })

  it.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tasks/list'])(
    'finds no %s',
    async (method) => {
      const response = await ask(method, { uri: 'x:y', level: 'info' })
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ error: { code: -32601 } })
    },
  )

  it('logs at the level that it names', async () => {
    const meta = { [LOG_LEVEL]: 'debug' }
    const params = { name: 'echo', arguments: { message: 'x' } }
    expect(await last(ask('tools/call', params, { meta }))).toMatchObject({ id: 'mine' })
  })
})
