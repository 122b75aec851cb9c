import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { createTaskServers, DECLARED, TASKS } from '../support/task-server.ts'

type Result = Record<string, unknown>
type Asked = readonly [status: number, body: { result?: Result; error?: Result }]

/** What its servers call every task. */
const OWN = 'task 1/ü'
const METHODS = ['tasks/get', 'tasks/update', 'tasks/cancel'] as const

const POLICY = {
  group_mappings: { askers: ['asker'], callers: ['caller'], others: ['other'], losers: ['loser'] },
  asker: [{ server: '*', methods: ['*'], tools: ['*'] }],
  caller: [{ server: '*', methods: ['tools/list', 'tools/call'], tools: ['*'] }],
  loser: [{ server: '*', methods: ['*'], tools: ['other'] }],
  other: [{ server: 'b', methods: ['*'], tools: ['*'] }],
}

describe('tasks of the extension (SEP-2663)', () => {
  const { fetcher, posted } = createTaskServers()
  let gateway: TestGateway
  let admin: string
  let asker: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    admin = await gateway.token()
    for (const path of ['a', 'b', 'plain']) {
      const server = { path, name: path, endpoints: [{ url: `https://${path}.example/mcp` }] }
      const created = await gateway.fetch('/api/v1/servers', rest(admin, 'POST', server))
      expect(created.status, await created.text()).toBe(201)
    }
    const virtual = {
      path: 'team',
      name: 'Team',
      tools: [{ server: 'a', name: 'slow', as: 'start' }],
    }
    const made = await gateway.fetch('/api/v1/virtual-servers', rest(admin, 'POST', virtual))
    expect(made.status, await made.text()).toBe(201)
    const put = await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
    expect(put.status, await put.text()).toBe(200)
    asker = await gateway.token({ subject: 'asker', groups: ['askers'] })
  })
  beforeEach(() => {
    posted.length = 0
  })

  const ask = async (
    path: string,
    method: string,
    params: Record<string, unknown>,
    as = asker,
    on = gateway,
  ): Promise<Asked> => {
    const { taskId } = params
    const name = typeof taskId === 'string' ? { 'mcp-name': taskId } : {}
    const init = modern(as, method, { _meta: DECLARED, ...params }, name)
    const response = await on.fetch(path === 'mcp' ? '/mcp' : `/${path}/mcp`, init)
    return [response.status, await response.json()]
  }
  /** Calls the tool that becomes a task; gives the id of it. */
  const begin = async (path: string, name: string, as = asker): Promise<string> => {
    const [status, { result }] = await ask(path, 'tools/call', { name, arguments: {} }, as)
    expect(status).toBe(200)
    posted.length = 0
    return String(result?.['taskId'])
  }
  const UNKNOWN = [200, { error: { code: -32602, message: 'Unknown task' } }]

  // req: mirrored-name-without-prefix
  it.each<[string, string, string, RegExp]>([
    ['one server', 'a', 'slow', /^[0-9a-f]{8}\.[\w-]+$/],
    ['all servers', 'mcp', 'a__slow', /^a\+[0-9a-f]{8}\.[\w-]+$/],
    ['a virtual server', 'team', 'start', /^a\+[0-9a-f]{8}\.[\w-]+$/],
  ])(
    'get an id of their own at the endpoint of %s, which leads back to the server',
    async (_, path, name, form) => {
      const [status, { result }] = await ask(path, 'tools/call', { name, arguments: {} })
      expect(status).toBe(200)
      expect(result).toMatchObject({
        resultType: 'task',
        status: 'working',
        ttlMs: null,
        'x-vendor': 1,
      })
      const taskId = String(result?.['taskId'])
      expect(taskId).toMatch(form)
      for (const method of METHODS) {
        posted.length = 0
        const inputResponses = { name: { action: 'accept', content: {} } }
        const [got, answer] = await ask(path, method, { taskId, inputResponses })
        expect(got).toBe(200)
        expect(answer.result).toMatchObject({ resultType: 'complete' })
        expect(posted).toMatchObject([
          { server: 'a', method, params: { taskId: OWN, inputResponses } },
        ])
        expect(posted[0]?.headers.get('mcp-name')).toBe('=?base64?dGFzayAxL8O8?=')
        expect(posted[0]?.headers.get('mcp-method')).toBe(method)
        if (method === 'tasks/get') expect(answer.result).toMatchObject({ taskId })
      }
    },
  )

  // req: uri-rewritten-everywhere
  it('name resources in what they came to as the endpoint does', async () => {
    const [, { result }] = await ask('mcp', 'tasks/get', { taskId: await begin('mcp', 'b__slow') })
    expect(result).toMatchObject({
      status: 'completed',
      result: { content: [{ text: 'b ran' }, { uri: 'mcp+b+demo://x/1' }] },
    })
    const [, direct] = await ask('b', 'tasks/get', { taskId: await begin('b', 'slow') })
    expect(direct.result).toMatchObject({ result: { content: [{}, { uri: 'demo://x/1' }] } })
  })

  it('leave members of other results alone that look like theirs', async () => {
    const [, { result }] = await ask('mcp', 'tools/call', { name: 'a__other', arguments: {} })
    expect(result).toEqual({ resultType: 'complete', content: [], taskId: 'a word of its own' })
  })

  describe('are unknown, and no server is asked,', () => {
    it.each(METHODS)('under an id that somebody else was given: %s', async (method) => {
      const taskId = await begin('mcp', 'a__slow')
      const single = await begin('a', 'slow')
      const other = await gateway.token({ subject: 'another', groups: ['askers'] })
      expect(await ask('mcp', method, { taskId }, other)).toMatchObject(UNKNOWN)
      expect(await ask('a', method, { taskId: single }, other)).toMatchObject(UNKNOWN)
      expect(posted).toEqual([])
    })

    it('under an id of another tenant', async () => {
      const taskId = await begin('mcp', 'a__slow')
      const far = createTestGateway({ seams: { fetcher } })
      const root = await far.token()
      const server = { path: 'a', name: 'a', endpoints: [{ url: 'https://a.example/mcp' }] }
      expect((await far.fetch('/api/v1/servers', rest(root, 'POST', server))).status).toBe(201)
      posted.length = 0
      const same = await far.token({ subject: 'asker', groups: ['askers'] })
      for (const token of [root, same]) {
        expect(await ask('mcp', 'tasks/get', { taskId }, token, far)).toMatchObject(UNKNOWN)
      }
      expect(posted).toEqual([])
    })

    it.each<[string, (id: string) => unknown]>([
      ['the server’s own', () => OWN],
      ['the server’s own, with its server', () => `a+${OWN}`],
      ['with another server', (id) => id.replace(/^a/, 'b')],
      ['with a server that is none', (id) => id.replace(/^a/, 'nobody')],
      [
        'with a character changed',
        (id) => `${id.slice(0, -2)}${id.at(-2) === 'A' ? 'B' : 'A'}${id.at(-1)}`,
      ],
      ['cut', (id) => id.slice(0, -4)],
      ['without its server', (id) => id.slice(2)],
      ['empty', () => ''],
      ['endless', (id) => id.repeat(100)],
    ])('under an id that is altered: %s', async (_what, alter) => {
      const taskId = alter(await begin('mcp', 'a__slow'))
      const init = modern(
        asker,
        'tasks/get',
        { _meta: DECLARED, taskId },
        {
          'mcp-name': `=?base64?${btoa(unescape(encodeURIComponent(String(taskId))))}?=`,
        },
      )
      const response = await gateway.fetch('/mcp', init)
      expect([response.status, await response.json()]).toMatchObject(UNKNOWN)
      expect(posted).toEqual([])
    })

    it('under no text', async () => {
      for (const [path, params] of [
        ['mcp', {}],
        ['a', {}],
        ['mcp', { taskId: 7 }],
        ['a', { taskId: { a: 1 } }],
      ] as const) {
        expect(await ask(path, 'tasks/get', params)).toMatchObject(UNKNOWN)
      }
      expect(posted).toEqual([])
    })

    it('under an id of another endpoint', async () => {
      const taskId = await begin('mcp', 'a__slow')
      expect(await ask('team', 'tasks/get', { taskId })).toMatchObject(UNKNOWN)
      expect(await ask('a', 'tasks/get', { taskId: taskId.slice(2) })).toMatchObject(UNKNOWN)
      expect(await ask('mcpgw', 'tasks/get', { taskId })).toMatchObject(UNKNOWN)
      expect(posted).toEqual([])
    })

    it('at a virtual server in which their server takes no part', async () => {
      const taskId = (await begin('team', 'start')).replace(/^a/, 'b')
      expect(await ask('team', 'tasks/get', { taskId })).toMatchObject(UNKNOWN)
      expect(posted).toEqual([])
    })

    it('to who may not use their server, or not ask for tasks, or lost the tool', async () => {
      const taskId = await begin('mcp', 'a__slow')
      // The same person, whose groups changed meanwhile.
      const other = await gateway.token({ subject: 'asker', groups: ['others'] })
      const caller = await gateway.token({ subject: 'asker', groups: ['callers'] })
      expect(await ask('mcp', 'tasks/get', { taskId }, other)).toMatchObject(UNKNOWN)
      expect(await ask('mcp', 'tasks/get', { taskId }, caller)).toMatchObject(UNKNOWN)
      const loser = await gateway.token({ subject: 'asker', groups: ['losers'] })
      expect(await ask('mcp', 'tasks/get', { taskId }, loser)).toMatchObject(UNKNOWN)
      const single = await begin('a', 'slow')
      expect(await ask('a', 'tasks/get', { taskId: single }, loser)).toMatchObject(UNKNOWN)
      expect(await ask('nobody', 'tasks/get', { taskId }, other)).toMatchObject([404, {}])
      expect(posted).toEqual([])
    })
  })

  it('need the OAuth scope of their method alone', async () => {
    const taskId = await begin('mcp', 'a__slow')
    const reader = await gateway.token({
      subject: 'asker',
      groups: ['askers'],
      scopes: ['gatehouse:read'],
    })
    expect(await ask('mcp', 'tasks/get', { taskId }, reader)).toMatchObject([200, { result: {} }])
    expect(await ask('mcp', 'tasks/cancel', { taskId }, reader)).toMatchObject([403, {}])
  })

  it('are refused without a token', async () => {
    const init = modern('none', 'tasks/get', { _meta: DECLARED, taskId: 'x' }, { 'mcp-name': 'x' })
    expect((await gateway.fetch('/mcp', init)).status).toBe(401)
  })

  it.each(['mcp', 'a'])('are refused to clients that do not declare them: /%s', async (path) => {
    const [status, { error }] = await ask(path, 'tasks/get', { taskId: 'x', _meta: {} })
    expect([status, error]).toMatchObject([
      400,
      { code: -32021, data: { requiredCapabilities: { extensions: { [TASKS]: {} } } } },
    ])
    expect(posted).toEqual([])
  })

  it('are refused under a header that names another', async () => {
    const init = modern(asker, 'tasks/get', { _meta: DECLARED, taskId: 'x' }, { 'mcp-name': 'y' })
    const response = await gateway.fetch('/mcp', init)
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { error: { code: -32020 } },
    ])
  })

  it('are no method of a server that has none', async () => {
    expect(await ask('plain', 'tasks/get', { taskId: 'x' })).toMatchObject([
      404,
      { error: { code: -32601 } },
    ])
  })

  it('are not declared for who could not ask for them, nor extensions that are not carried', async () => {
    const declared = () => {
      const meta = posted[0]?.params['_meta'] as Result
      return (meta['io.modelcontextprotocol/clientCapabilities'] as Result)['extensions']
    }
    const extensions = {
      [TASKS]: {},
      'io.modelcontextprotocol/ui': { a: 1.0 },
      'dev.vendor/more': {},
    }
    const _meta = { 'io.modelcontextprotocol/clientCapabilities': { extensions } }
    const caller = await gateway.token({ subject: 'caller', groups: ['callers'] })
    const call = async (path: string, name: string, as: string) => {
      posted.length = 0
      await ask(path, 'tools/call', { name, arguments: {}, _meta }, as)
      return declared()
    }
    expect(await call('a', 'slow', asker)).toEqual(extensions)
    const { 'dev.vendor/more': _, ...carried } = extensions
    expect(await call('mcp', 'a__slow', asker)).toEqual(carried)
    const { [TASKS]: __, ...ui } = carried
    expect(await call('mcp', 'a__slow', caller)).toEqual(ui)
    expect(await call('a', 'slow', caller)).toEqual({ ...ui, 'dev.vendor/more': {} })
  })

  it('are advertised by an endpoint whose servers have them, to who may ask for them', async () => {
    const extensionsAt = async (path: string, as = asker) => {
      const [, { result }] = await ask(path, 'server/discover', {}, as)
      return (result as { capabilities: { extensions?: object } }).capabilities.extensions
    }
    const ui = { 'io.modelcontextprotocol/ui': {} }
    expect(await extensionsAt('mcp')).toEqual({ [TASKS]: {}, ...ui })
    expect(await extensionsAt('team')).toEqual({ [TASKS]: {} })
    expect(await extensionsAt('mcpgw')).toBeUndefined()
    const caller = await gateway.token({ subject: 'caller', groups: ['callers'] })
    expect(await extensionsAt('mcp', caller)).toBeUndefined()
  })
})
