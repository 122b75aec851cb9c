import { beforeAll, describe, expect, it } from 'vitest'
import { changesOf, type TestGateway } from './gateway.ts'
import { createShops, DESK } from './virtual-gateway.ts'

const TENANT = 'registry-virtual-bad-input'
let gateway: TestGateway

beforeAll(async () => {
  gateway = await createShops(TENANT)
  expect((await gateway.send('admins', 'POST', '/virtual-servers', DESK)).status).toBe(201)
})

const long = (length: number) => 'x'.repeat(length)
const books = (name: string, more: object = {}) => ({ server: 'books', name, ...more })
const problemAt = (path: string) => ({
  status: 400,
  body: { code: 'invalid_params', problems: [{ path }] },
})

describe('a virtual server', () => {
  it.each([
    ['an unknown member', { colour: 'red' }, ''],
    ['an owner of its own', { owner: 'me' }, ''],
    ['no name', { name: undefined }, 'name'],
    ['a reserved path', { path: 'mcp' }, 'path'],
    ['a path in upper case', { path: 'Desk' }, 'path'],
    ['too many words', { instructions: long(4001) }, 'instructions'],
    ['an unknown visibility', { visibility: 'secret' }, 'visibility'],
    ['a group without groups', { visibility: 'group' }, 'allowedGroups'],
    ['tools that are no list', { tools: 'all' }, 'tools'],
    ['an unknown member of a tool', { tools: [books('buy', { pin: 'x' })] }, 'tools.0'],
    ['a pin of its own', { tools: [books('buy', { contentHash: 'x' })] }, 'tools.0'],
    ['a tool of no server', { tools: [{ name: 'buy' }] }, 'tools.0.server'],
    ['a tool of an impossible server', { tools: [{ server: 'A B', name: 'x' }] }, 'tools.0.server'],
    ['a tool without a name', { tools: [{ server: 'books' }] }, 'tools.0.name'],
    ['an alias with a space', { tools: [books('buy', { as: 'a b' })] }, 'tools.0.as'],
    ['an alias that is too long', { tools: [books('buy', { as: long(65) })] }, 'tools.0.as'],
    ['an empty alias', { tools: [books('buy', { as: '' })] }, 'tools.0.as'],
    ['a title of two lines', { tools: [books('buy', { title: 'a\nb' })] }, 'tools.0.title'],
    ['a long text', { tools: [books('buy', { description: long(4001) })] }, 'tools.0.description'],
    ['a name that needs an alias', { tools: [books('bad name!')] }, 'tools.0.as'],
    ['a long name that needs an alias', { tools: [books(long(65))] }, 'tools.0.as'],
    ['an item twice', { tools: [books('buy'), books('buy', { as: 'b' })] }, 'tools.1'],
    ['a name twice', { tools: [books('buy'), books('search', { as: 'buy' })] }, 'tools.1.as'],
    ['a prompt twice', { prompts: [books('bye'), books('greet', { as: 'bye' })] }, 'prompts.1.as'],
    ['a resource without its URI', { resources: [books('a')] }, 'resources.0.uri'],
    [
      'a template by a URI',
      { resourceTemplates: [{ server: 'books', uri: 'file:///a' }] },
      'resourceTemplates.0.uriTemplate',
    ],
  ])('is refused with %s', async (_what, member, path) => {
    const { tools: _tools, ...rest } = DESK
    const input = { ...rest, path: 'other', ...member }
    const answer = await gateway.send('admins', 'POST', '/virtual-servers', input)
    expect({ ...answer, body: { ...answer.body, problems: firstOf(answer.body) } }).toMatchObject(
      problemAt(path),
    )
  })

  it('may use a name for a tool and for a prompt', async () => {
    const both = { tools: [books('buy')], prompts: [books('bye', { as: 'buy' })] }
    const input = { path: 'both', name: 'Both', ...both }
    expect((await gateway.send('admins', 'POST', '/virtual-servers', input)).status).toBe(201)
    expect((await gateway.send('admins', 'DELETE', '/virtual-servers/both')).status).toBe(204)
  })

  it('is told of every item that is not offered', async () => {
    const input = { ...DESK, path: 'other', tools: [books('one'), books('buy'), books('two')] }
    const answer = await gateway.send('admins', 'POST', '/virtual-servers', input)
    expect(answer).toMatchObject({
      status: 400,
      body: { problems: [{ path: 'tools.0' }, { path: 'tools.2' }] },
    })
  })
})

describe('a request for virtual servers', () => {
  it.each([
    ['PATCH', '/virtual-servers/desk', {}],
    ['PATCH', '/virtual-servers/desk', { path: 'other' }],
    ['PATCH', '/virtual-servers/desk', { tools: null }],
    ['POST', '/virtual-servers/desk/toggle', { enabled: 1 }],
    ['POST', '/virtual-servers/desk/repin', { items: [] }],
    ['POST', '/virtual-servers/desk/repin', { items: [{ kind: 'agent', server: 'a', key: 'b' }] }],
    ['POST', '/virtual-servers/desk/repin', { all: true }],
    ['POST', '/virtual-servers?allowUnreachable=true', DESK],
    ['PUT', '/virtual-servers/desk?x=1', DESK],
    ['DELETE', '/virtual-servers/desk?x=1', undefined],
    ['GET', '/virtual-servers?limit=0', undefined],
    ['GET', '/virtual-servers?limit=1&limit=2', undefined],
    ['GET', '/virtual-servers?tag=x', undefined],
    ['GET', '/virtual-servers/desk?x=1', undefined],
    ['GET', '/services?tag=x', undefined],
    ['GET', '/services?limit=101', undefined],
    ['GET', '/services/books?x=1', undefined],
    ['GET', '/services/books/health?x=1', undefined],
  ])('is refused: %s %s %j', async (method, path, body) => {
    const answer = await gateway.send('admins', method, path, body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
  })

  it.each(['/virtual-servers', '/services'])('is refused with a made-up cursor: %s', async (at) => {
    const answer = await gateway.send('admins', 'GET', `${at}?cursor=x`)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
  })

  it.each(['admin', 'UPPER', '..%2F..%2Fetc', '%00', 'x'.repeat(500)])(
    'is not found at the path %j',
    async (path) => {
      for (const at of ['/virtual-servers', '/services']) {
        const answer = await gateway.send('admins', 'GET', `${at}/${path}`)
        expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
      }
    },
  )

  const BODIES: readonly [string, string][] = [
    ['POST', '/virtual-servers'],
    ['PUT', '/virtual-servers/desk'],
    ['PATCH', '/virtual-servers/desk'],
    ['POST', '/virtual-servers/desk/toggle'],
    ['POST', '/virtual-servers/desk/repin'],
  ]
  it.each(BODIES)('is refused for what its body is: %s %s', async (method, path) => {
    const send = (body: string, contentType = 'application/json') =>
      gateway.send('admins', method, path, body, { contentType })
    expect(await send('{}', 'text/plain')).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type' },
    })
    const deep = `{"tools":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    for (const body of ['{', '{"name":"a","name":"b"}', '{"a":[{"b":1,"\\u0062":2}]}', deep]) {
      expect(await send(body)).toMatchObject({ status: 400, body: { code: 'parse_error' } })
    }
    for (const body of ['[]', 'null', '{"__proto__":{}}']) {
      expect(await send(body)).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
    }
    expect(await send(`{"name":"${long(1024 * 1024)}"}`)).toMatchObject({
      status: 413,
      body: { code: 'body_too_large' },
    })
  })
})

it('stores nothing of what was refused', async () => {
  const changes = await changesOf(TENANT)
  const changed = changes.map((change) => `${change['action']} ${change['target']}`)
  expect(changed.filter((change) => change.startsWith('virtual'))).toEqual([
    'virtual.create desk',
    'virtual.create both',
    'virtual.delete both',
  ])
})

function firstOf(body: Record<string, unknown>): unknown[] {
  return Array.isArray(body['problems']) ? body['problems'].slice(0, 1) : []
}
