import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const TOOLS = ['list_items', 'drop_table'].map(
  (name) => `{"name":"${name}","inputSchema":{"type":"object"}}`,
)
const POLICY = {
  group_mappings: { clerks: ['clerk'] },
  clerk: [
    { server: 'shop', methods: ['tools/list', 'tools/call'], tools: ['list_items'] },
    { server: 'off', methods: ['tools/list', 'tools/call'], tools: ['list_items'] },
  ],
}
const REQUEST_ID = { 'x-request-id': 'flow-request-1' }

const fake = createFakeUpstream(TOOLS)

/** The fake upstream, legacy alone, which gives a session to whoever says hello. */
async function fetcher(request: Request): Promise<Response> {
  if (request.headers.has('mcp-method')) return new Response('no', { status: 400 })
  const response = await fake.fetcher(request)
  const isHello = fake.seen.at(-1)?.body.includes('"initialize"') === true
  if (isHello) response.headers.set('mcp-session-id', 'upstream-session')
  return response
}

let gateway: TestGateway
let admin: string
let clerk: string
let session: string

async function setUp(of: TestGateway, token: string): Promise<void> {
  for (const [path, body] of [
    ['shop', {}],
    ['hidden', {}],
    ['off', { enabled: false }],
    ['mine', { visibility: 'private' }],
  ] as const) {
    const endpoints = [{ url: `https://${path}.example/mcp` }]
    const server = { path, name: path, endpoints, ...body }
    const created = await of.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status).toBe(201)
  }
  const replaced = await of.fetch('/api/v1/policy', rest(token, 'PUT', POLICY))
  expect(replaced.status).toBe(200)
}

/** Opens a session at `shop` and gives its sealed id. */
async function open(of: TestGateway, token: string): Promise<string> {
  const response = await of.fetch('/shop/mcp', legacy(token, 'initialize', hello()))
  expect(response.status).toBe(200)
  await response.text()
  const id = response.headers.get('mcp-session-id') ?? ''
  expect(id).toMatch(/^[0-9a-f]{8}\.[A-Za-z0-9_-]+$/)
  return id
}

const inSession = (id: string) => ({ 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' })
const call = (token: string, name: string, headers: Record<string, string> = {}) =>
  legacy(token, 'tools/call', { name, arguments: {} }, { ...REQUEST_ID, ...headers })

/** All that a caller can tell one answer from another by. */
async function looksOf(response: Response, name: string) {
  const text = await response.text()
  // It counts down with each call, whatever was asked for.
  const { ratelimit: _, ...headers } = Object.fromEntries(response.headers)
  return {
    status: response.status,
    headers,
    body: text.replaceAll(name, '<name>'),
  }
}

beforeAll(async () => {
  gateway = createTestGateway({ seams: { fetcher } })
  admin = await gateway.token()
  await setUp(gateway, admin)
  clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
  session = await open(gateway, clerk)
})

beforeEach(() => {
  fake.seen.length = 0
})

describe('a server that gives sessions and may not be seen', () => {
  const WHERE = ['hidden', 'off', 'mine', 'nothing-here']

  it.each<[string, () => Record<string, string>, string]>([
    ['without a session id', () => ({}), 'not_found'],
    ["with a session id of another server's", () => inSession(session), 'session_not_found'],
    ['with a session id that is made up', () => inSession('x'), 'session_not_found'],
    [
      'with a session id that was tampered with',
      () => inSession(session.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))),
      'session_not_found',
    ],
  ])('reads exactly like one that does not exist, %s', async (_what, headers, code) => {
    for (const init of [
      call(clerk, 'list_items', headers()),
      legacy(clerk, 'tools/list', {}, { ...REQUEST_ID, ...headers() }),
      legacy(clerk, 'no/such', {}, { ...REQUEST_ID, ...headers() }),
      legacy(clerk, 'notifications/cancelled', {}, { ...REQUEST_ID, ...headers() }, NOTIFICATION),
      { ...legacy(clerk, 'x', {}, { ...REQUEST_ID, ...headers() }), method: 'DELETE', body: null },
    ]) {
      const ask = async (path: string) => looksOf(await gateway.fetch(`/${path}/mcp`, init), path)
      const unknown = await ask('nothing-here')
      for (const path of WHERE) expect(await ask(path), path).toEqual(unknown)
      if (init.method === 'DELETE' && code === 'not_found') {
        expect(unknown).toMatchObject({ status: 400 })
        continue
      }
      expect(unknown.status).toBe(404)
      expect(unknown.body).toContain(`"code":"${code}"`)
    }
    expect(fake.seen).toEqual([])
  })

  it('tells nobody that a session id is asked for there', async () => {
    const visible = await gateway.fetch('/shop/mcp', call(clerk, 'list_items'))
    expect(visible.status).toBe(400)
    expect(await visible.json()).toMatchObject({ error: { data: { code: 'session_required' } } })
    const hidden = await gateway.fetch('/hidden/mcp', call(clerk, 'list_items'))
    expect(hidden.status).toBe(404)
  })
})

describe('a session (ATTACKS 4 and 5)', () => {
  const ask = async (of: TestGateway, token: string, id: string) =>
    looksOf(await of.fetch('/shop/mcp', call(token, 'list_items', inSession(id))), 'x')

  // req: session-bound-to-principal
  it('is for nobody else like one that was never there, and goes on for its own', async () => {
    const elsewhere = createTestGateway({ seams: { fetcher } })
    const stranger = await elsewhere.token({ subject: 'cleo', groups: ['clerks'] })
    const colleague = await gateway.token({ subject: 'carl', groups: ['clerks'] })
    const unknown = await ask(gateway, clerk, 'x')
    expect(unknown.status).toBe(404)
    fake.seen.length = 0
    for (const token of [colleague, admin, stranger]) {
      expect(await ask(gateway, token, session)).toEqual(unknown)
      const headers = { ...inSession(session), ...REQUEST_ID, authorization: `Bearer ${token}` }
      const ended = await gateway.fetch('/shop/mcp', { method: 'DELETE', headers })
      expect(ended.status).toBe(404)
    }
    expect(fake.seen).toEqual([])
    const renewed = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
    expect(await ask(gateway, renewed, session)).toMatchObject({ status: 200 })
  })

  it('gives no tool away that the policy denies', async () => {
    const tool = async (name: string) =>
      looksOf(await gateway.fetch('/shop/mcp', call(clerk, name, inSession(session))), name)
    const unknown = await tool('no_such_tool')
    expect(unknown.status).toBe(200)
    expect(unknown.body).toContain('"code":"unknown_tool"')
    for (const name of ['drop_table', 'LIST_ITEMS', 'lіst_items', 'shop__list_items', 'shop']) {
      expect(await tool(name), name).toEqual(unknown)
    }
    expect(fake.seen).toEqual([])
  })

  it('does not outlive the right to its server', async () => {
    const here = createTestGateway({ seams: { fetcher } })
    const root = await here.token()
    await setUp(here, root)
    const cleo = await here.token({ subject: 'cleo', groups: ['clerks'] })
    const id = await open(here, cleo)
    const gone = { ...POLICY, group_mappings: { clerks: [] } }
    expect((await here.fetch('/api/v1/policy', rest(root, 'PUT', gone))).status).toBe(200)
    fake.seen.length = 0
    expect(await ask(here, cleo, id)).toMatchObject({
      status: 404,
      body: expect.stringContaining('"code":"not_found"'),
    })
    expect(fake.seen).toEqual([])
  })

  it('counts for nothing in a modern request, which has none', async () => {
    const init = modern(clerk, 'tools/call', { name: 'list_items' }, inSession('x'))
    const headers = { ...init.headers, 'mcp-protocol-version': '2026-07-28' }
    const response = await gateway.fetch('/shop/mcp', { ...init, headers })
    // Nobody's session, not even an unknown one: the gateway has its own for a modern client.
    expect(response.status).toBe(200)
    const hidden = await gateway.fetch('/hidden/mcp', { ...init, headers })
    expect(hidden.status).toBe(404)
  })
})
