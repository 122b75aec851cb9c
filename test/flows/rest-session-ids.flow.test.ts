import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, rest } from '../support/gateway.ts'
import { sessionPath as at, type RestTenant, restTenant } from '../support/rest-client.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const HOUR_MS = 3_600_000
// Each isolate takes a lease of its own, and there are many here.
const vars = { LIMIT_PRINCIPAL_PER_MINUTE: '100000', LIMIT_TENANT_PER_MINUTE: '100000' }
const POLICY = { group_mappings: { people: ['user'] } }
const room = scriptedRoom('rest-session-ids')
const now = Date.now()
let client: RestTenant

/** Another isolate for the same tenant. */
const isolate = () => createTestGateway({ tenant: client.gateway.tenant, vars })

beforeAll(async () => {
  client = await restTenant(room, { seams: { clock: { now: () => now } }, vars })
  expect((await client.send('/api/v1/policy', rest(client.token, 'PUT', POLICY))).status).toBe(200)
})

describe('a REST session id', () => {
  const notFound = {
    status: 404,
    body: {
      code: 'session_not_found',
      detail: 'The session is unknown, expired or was closed.',
      fix: 'Connect again: POST /api/v1/mcp/servers/connect.',
    },
  }
  const USES: readonly [string, string, unknown][] = [
    ['GET', '/tools', undefined],
    ['GET', '/resources', undefined],
    ['GET', '/prompts', undefined],
    ['GET', '/info', undefined],
    ['POST', '/tools/call', { name: 'echo' }],
    ['POST', '/resources/read', { uri: 'x:y' }],
    ['DELETE', '', undefined],
  ]
  let id: string

  beforeAll(async () => {
    id = await client.connect('scripted')
  })

  const use = (
    method: string,
    what: string,
    body: unknown,
    as = client.token,
    of = id,
    on = client.gateway,
  ) => client.send(at(of, what), rest(as, method, body), on)

  it.each(USES)('%s %s without a credential is 401', async (method, what, body) => {
    const init = { ...rest('', method, body), headers: { 'content-type': 'application/json' } }
    expect(await client.send(at(id, what), init)).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated' },
    })
  })

  it.each(USES)('%s %s of another user is 404', async (method, what, body) => {
    const other = await client.gateway.token({ subject: 'other', groups: ['people'] })
    expect(await use(method, what, body, other)).toMatchObject(notFound)
  })

  it.each(USES)('%s %s of another tenant is 404', async (method, what, body) => {
    const elsewhere = createTestGateway()
    const foreign = await elsewhere.token()
    expect(await use(method, what, body, foreign, id, elsewhere)).toMatchObject(notFound)
  })

  it.each(USES)('%s %s unknown or tampered is 404', async (method, what, body) => {
    const tampered = `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`
    for (const wrong of ['x', tampered, id.toUpperCase(), `${id}.x`]) {
      expect(await use(method, what, body, client.token, wrong)).toMatchObject(notFound)
    }
  })

  it.each(USES)(
    '%s %s is 404 after it was closed, in every isolate',
    async (method, what, body) => {
      const closed = await client.connect('scripted')
      expect((await client.close(closed)).status).toBe(204)
      const elsewhere = isolate()
      expect(await use(method, what, body, client.token, closed)).toMatchObject(notFound)
      expect(await use(method, what, body, client.token, closed, elsewhere)).toMatchObject(notFound)
    },
  )

  it.each(USES)('%s %s is 404 after 24 hours', async (method, what, body) => {
    const old = await client.connect('scripted')
    const tomorrow = createTestGateway({
      tenant: client.gateway.tenant,
      seams: { clock: { now: () => now + 24 * HOUR_MS } },
      // The object lives today; an isolate that cannot reach it counts alone.
      bindings: {
        LIMITERS: {
          getByName: () => ({ lease: () => Promise.reject(new Error()), usage: async () => [] }),
        },
      },
    })
    const fresh = await tomorrow.token()
    expect(await use(method, what, body, fresh, old, tomorrow)).toMatchObject(notFound)
  })

  it('survives the refresh of its token', async () => {
    expect((await use('GET', '/info', undefined, await client.gateway.token())).status).toBe(200)
  })

  it('is no MCP session id, and an MCP session id is none', async () => {
    const mcp = await client.gateway.fetch('/everything/mcp', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${client.token}`,
        'content-type': 'application/json',
        'mcp-session-id': id,
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    })
    expect(mcp.status).toBe(404)
    await mcp.text()
    const hello = await client.gateway.fetch('/everything/mcp', {
      method: 'POST',
      headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    })
    await hello.text()
    const theirs = hello.headers.get('mcp-session-id') ?? ''
    expect(await use('GET', '/info', undefined, client.token, theirs)).toMatchObject(notFound)
  })

  it('is 404 once its server is gone, and of no use for another of that name', async () => {
    const server = { path: 'brief', name: 'Brief', endpoints: [{ url: room.url('modern') }] }
    expect((await client.post('/api/v1/servers', server)).status).toBe(201)
    const lost = await client.connect('brief')
    expect((await client.send('/api/v1/servers/brief', rest(client.token, 'DELETE'))).status).toBe(
      204,
    )
    expect(await client.get(at(lost, '/info'))).toMatchObject(notFound)
    expect((await client.post('/api/v1/servers', server)).status).toBe(201)
    expect(await client.get(at(lost, '/info'))).toMatchObject(notFound)
    expect((await client.close(lost)).status).toBe(204)
  })
})
