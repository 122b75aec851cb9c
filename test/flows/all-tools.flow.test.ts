import { beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestGateway, PUBLIC_URL, rest, type TestGateway } from '../support/gateway.ts'

const TOOLS = '/mcp/tools'

const POLICY = {
  group_mappings: { callers: ['caller'], people: ['user'] },
  caller: [{ server: 'modern', methods: ['tools/list', 'tools/call'], tools: ['echo'] }],
}

let gateway: TestGateway
let token: string

beforeAll(async () => {
  gateway = createTestGateway()
  token = await gateway.token()
  for (const [path, url] of [
    ['modern', inject('modernUrl')],
    ['everything', inject('everythingUrl')],
  ]) {
    const server = { path, name: path, endpoints: [{ url }] }
    const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    expect(created.status).toBe(201)
  }
  expect((await gateway.fetch('/api/v1/policy', rest(token, 'PUT', POLICY))).status).toBe(200)
})

async function get(path: string, as = token, on = gateway) {
  const response = await on.fetch(path, rest(as, 'GET'))
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, body, headers: response.headers }
}

const namesOf = (body: Record<string, unknown>) =>
  (body['tools'] as { name: string }[]).map(({ name }) => name)

describe('GET /mcp/tools', () => {
  it('lists the tools of servers of both eras, and the gateway’s own, as /mcp names them', async () => {
    const { status, body } = await get(TOOLS)
    expect(status).toBe(200)
    expect(namesOf(body)).toEqual(
      expect.arrayContaining(['list_servers', 'modern__echo', 'everything__echo']),
    )
    expect(body['nextCursor']).toBeUndefined()
  })

  it('lists what the caller may see, and no more', async () => {
    const caller = await gateway.token({ subject: 'c', groups: ['callers'] })
    expect(namesOf((await get(TOOLS, caller)).body)).toEqual(['modern__echo'])
    const stranger = await gateway.token({ subject: 's', groups: [] })
    expect(await get(TOOLS, stranger)).toMatchObject({ status: 200, body: { tools: [] } })
  })

  it('lists nothing of another tenant', async () => {
    const other = createTestGateway()
    const { status, body } = await get(TOOLS, await other.token(), other)
    expect(status).toBe(200)
    expect(namesOf(body).filter((name) => name.includes('__'))).toEqual([])
  })

  it('takes a token for /mcp, and none for the management API alone', async () => {
    const forMcp = await gateway.token({ audience: `${PUBLIC_URL}/mcp` })
    expect((await get(TOOLS, forMcp)).status).toBe(200)
    const forApi = await gateway.token({ audience: `${PUBLIC_URL}/api/v1` })
    expect(await get(TOOLS, forApi)).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    })
  })

  it('needs a credential', async () => {
    const response = await gateway.fetch(TOOLS)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /)
    expect(await response.json()).toMatchObject({ code: 'unauthenticated' })
  })

  it('asks for more scope when the token may not list', async () => {
    const caller = await gateway.token({
      subject: 'c',
      groups: ['callers'],
      scopes: ['gatehouse:call'],
    })
    const { status, body, headers } = await get(TOOLS, caller)
    expect({ status, body }).toMatchObject({
      status: 403,
      body: { code: 'insufficient_scope', scope: 'gatehouse:read' },
    })
    expect(headers.get('www-authenticate')).toContain('scope="gatehouse:read"')
  })

  it.each(['cursor=x', `cursor=${'x'.repeat(5_000)}`, 'unknown=1'])(
    'refuses the query %s',
    async (query) => {
      const { status, body } = await get(`${TOOLS}?${query}`)
      expect(status).toBe(400)
      expect(body['code']).toMatch(/^invalid_(cursor|params)$/)
    },
  )

  it('is described beside the management API', async () => {
    const { body } = await get('/openapi.json')
    const paths = body['paths'] as Record<string, Record<string, unknown>>
    expect(paths['/mcp/tools']?.['get']).toMatchObject({
      operationId: 'listAllTools',
      servers: [{ url: '/' }],
      security: [{ bearer: [] }],
    })
  })
})
