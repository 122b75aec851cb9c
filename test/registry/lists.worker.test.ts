import { beforeAll, describe, expect, it } from 'vitest'
import { parsePolicySeed, rightsOf } from '../../src/policy/index.ts'
import { type Answer, createGateway, DISCOVERY, isDown, principalOf, VALID } from './gateway.ts'

const gateway = createGateway('registry-lists')
const COUNT = 70

const pathsOf = ({ body }: Answer): string[] =>
  Array.isArray(body['servers']) ? body['servers'].map((server) => server.path) : []

async function walk(group: string, query: string): Promise<{ paths: string[]; pages: number }> {
  const paths: string[] = []
  let pages = 0
  let cursor: unknown
  do {
    const more = typeof cursor === 'string' ? `&cursor=${cursor}` : ''
    const answer = await gateway.send(group, 'GET', `/servers?${query}${more}`)
    expect(answer.status).toBe(200)
    paths.push(...pathsOf(answer))
    cursor = answer.body['nextCursor']
    pages += 1
  } while (cursor !== undefined)
  return { paths, pages }
}

beforeAll(async () => {
  for (let index = 0; index < COUNT; index += 1) {
    const path = `s${String(index).padStart(3, '0')}`
    const answer = await gateway.send('admins', 'POST', '/servers', {
      ...VALID,
      path,
      name: index === 5 ? 'Währungen 100%_sure' : `Server ${index}`,
      description: index % 7 === 0 ? 'every seventh' : '',
      tags: index % 10 === 0 ? ['tenth', `only-${index}`] : [],
      visibility: index % 3 === 0 ? 'public' : 'private',
    })
    expect(answer.status).toBe(201)
  }
  gateway.state.discover = isDown
  const down = { ...VALID, path: 'down', name: 'Down', visibility: 'public' }
  await gateway.send('admins', 'POST', '/servers?allowUnreachable=true', down)
  gateway.state.discover = () => DISCOVERY
})

describe('the list of servers', () => {
  it('has 30 to a page, and every server once, by path', async () => {
    const { paths, pages } = await walk('admins', '')
    expect(paths).toHaveLength(COUNT + 1)
    expect(paths).toEqual([...new Set(paths)].sort())
    expect(pages).toBe(3)
  })

  it('fills its pages although most servers are hidden, and ends without an empty page', async () => {
    const { paths, pages } = await walk('readers', 'limit=4')
    expect(paths).toHaveLength(25)
    expect(pages).toBe(7)
    const exact = await walk('readers', 'limit=25')
    expect(exact.pages).toBe(1)
  })

  it('filters by tag, health and text, in any case and literally', async () => {
    expect((await walk('admins', 'tag=tenth&limit=3')).paths).toHaveLength(7)
    expect((await walk('admins', 'tag=only-10')).paths).toEqual(['s010'])
    expect((await walk('admins', 'tag=ten')).paths).toEqual([])
    expect((await walk('admins', 'health=unhealthy')).paths).toEqual(['down'])
    expect((await walk('admins', 'health=healthy&limit=100')).paths).toHaveLength(COUNT)
    expect((await walk('admins', 'health=unknown')).paths).toEqual([])
    expect((await walk('admins', 'text=EVERY%20SEVENTH')).paths).toHaveLength(10)
    expect((await walk('admins', 'text=W%C3%84HRUNG')).paths).toEqual(['s005'])
    expect((await walk('admins', 'text=%25_')).paths).toEqual(['s005'])
    expect((await walk('admins', 'text=_erver')).paths).toEqual([])
    expect((await walk('admins', 'text=seventh&tag=tenth&health=healthy')).paths).toEqual(['s000'])
    expect((await walk('admins', `text=${'x'.repeat(100)}`)).paths).toEqual([])
  })

  it('shows what a list needs and no addresses', async () => {
    const { body } = await gateway.send('readers', 'GET', '/servers?limit=1')
    expect(body['servers']).toEqual([
      {
        id: expect.any(String),
        path: 'down',
        name: 'Down',
        description: '',
        tags: [],
        license: '',
        owner: expect.stringMatching(/^https:\/\/idp\.example#[0-9a-f]{16}$/),
        visibility: 'public',
        enabled: true,
        health: 'unhealthy',
        discovered: { tools: 0, resources: 0, resourceTemplates: 0, prompts: 0 },
        updatedAt: '2026-11-01T00:00:00.000Z',
      },
    ])
  })
})

describe('a cursor', () => {
  const first = async () => {
    const { body } = await gateway.send('admins', 'GET', '/servers?limit=2')
    return String(body['nextCursor'])
  }

  it('goes on behind its page, also with another limit', async () => {
    const answer = await gateway.send('admins', 'GET', `/servers?limit=3&cursor=${await first()}`)
    expect(pathsOf(answer)).toEqual(['s001', 's002', 's003'])
  })

  it.each([
    ['another filter', 'admins', '/servers?tag=tenth&', {}],
    ['another principal', 'readers', '/servers?', {}],
    ['another list', 'admins', '/servers/s000/tools?', {}],
    ['another tenant', 'admins', '/servers?', { tenant: 'registry-lists-other' }],
  ])('is refused with %s', async (_what, group, path, extra) => {
    const url = `${path}cursor=${await first()}`
    const answer = await gateway.send(group, 'GET', url, undefined, extra)
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_cursor', fix: 'Start again without a cursor.' },
    })
  })

  it('is refused after a day, and when it was changed', async () => {
    const cursor = await first()
    const other = cursor.at(-2) === 'A' ? 'B' : 'A'
    const changed = `${cursor.slice(0, -2)}${other}${cursor.slice(-1)}`
    const tampered = await gateway.send('admins', 'GET', `/servers?cursor=${changed}`)
    expect(tampered).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
    const start = gateway.state.now
    gateway.state.now += 24 * 60 * 60 * 1000 - 1
    expect((await gateway.send('admins', 'GET', `/servers?cursor=${cursor}`)).status).toBe(200)
    gateway.state.now += 1
    const stale = await gateway.send('admins', 'GET', `/servers?cursor=${cursor}`)
    expect(stale).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
    gateway.state.now = start
  })
})

describe('the tools of a server', () => {
  beforeAll(async () => {
    const annotated = (header: unknown) => ({
      type: 'object',
      properties: { a: { type: 'string', 'x-mcp-header': header } },
    })
    gateway.state.discover = () => ({
      ...DISCOVERY,
      tools: [
        ...Array.from({ length: 150 }, (_, index) => ({
          name: `tool-${String(index).padStart(3, '0')}`,
          inputSchema: { type: 'object' },
          'x-vendor': { kept: true },
        })),
        { name: 'bad-header', inputSchema: annotated('not a token') },
        { name: 'tool-000', inputSchema: { type: 'object' } },
        { description: 'nameless' },
        'not an object',
      ],
    })
    const server = { ...VALID, path: 'many' }
    expect((await gateway.send('admins', 'POST', '/servers', server)).body).toMatchObject({
      discovered: { tools: 150 },
    })
  })

  it('come in pages in the order of the upstream, definitions as they were', async () => {
    const first = await gateway.send('admins', 'GET', '/servers/many/tools?limit=100')
    expect(first.body['tools']).toHaveLength(100)
    expect(first.body).toMatchObject({
      tools: { 7: { name: 'tool-007', definition: { 'x-vendor': { kept: true } } } },
      excluded: [],
    })
    const query = `limit=100&cursor=${first.body['nextCursor']}`
    const second = await gateway.send('admins', 'GET', `/servers/many/tools?${query}`)
    expect(second.body['tools']).toHaveLength(50)
    expect(second.body['nextCursor']).toBeUndefined()
    expect(second.body['excluded']).toEqual([
      { name: 'bad-header', reason: 'x-mcp-header at a is not a header name' },
      { name: 'tool-000', reason: 'repeats the name of another' },
      { name: '', reason: 'has no usable name' },
      { name: '', reason: 'has no usable name' },
    ])
  })

  it('are those that the actor may see, unless it may modify the server', async () => {
    const document = parsePolicySeed({
      'UI-Scopes': { few: { list_service: ['all'] } },
      group_mappings: { few: ['few'] },
      few: [{ server: 'many', methods: ['tools/list'], tools: ['tool-003', 'tool-140'] }],
    })
    const principal = await principalOf(gateway.tenant, 'few')
    const actor = { principal, rights: rightsOf(principal, document, { bootstrap: false }) }
    const { listTools } = gateway.registry.verbs
    const page = await listTools(gateway.ctx, actor, 'many', { limit: 2 })
    expect(page).toMatchObject({
      tools: [{ name: 'tool-003' }, { name: 'tool-140' }],
      excluded: [],
    })
    expect(page.nextCursor).toBeUndefined()
  })

  it('are in the snapshot without those that may not be served', async () => {
    const snapshot = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
    const record = await snapshot.server(gateway.ctx, 'many')
    expect(record?.tools.size).toBe(150)
    expect(record?.tools.has('bad-header')).toBe(false)
    const clock = await snapshot.server(gateway.ctx, 's000')
    expect([...(clock?.tools ?? [])]).toEqual([
      ['now', { headerParams: [], readOnly: true, idempotent: false }],
      [
        'convert',
        {
          headerParams: [{ header: 'Zone', path: ['zone'], type: 'string' }],
          readOnly: false,
          idempotent: false,
        },
      ],
    ])
  })
})
