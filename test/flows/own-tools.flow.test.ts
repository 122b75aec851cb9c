import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { watchedFetch } from '../support/rest-client.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const POLICY = {
  group_mappings: { callers: ['caller'], people: ['user'] },
  caller: [
    { server: 'mcpgw', methods: ['tools/call'], tools: ['proxy_request'] },
    { server: 'modern', methods: ['tools/list', 'tools/call'], tools: ['echo'] },
  ],
}

const { open, seen, fetcher } = watchedFetch()
const room = scriptedRoom('own-tools')
let gateway: TestGateway
let token: string

beforeAll(async () => {
  gateway = createTestGateway({ seams: { fetcher } })
  token = await gateway.token()
  await room.register(gateway, token)
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

beforeEach(() => {
  open.clear()
  seen.clear()
})

interface Outcome {
  readonly isError: boolean
  readonly content: readonly { readonly text: string }[]
  readonly structuredContent: { readonly result: Record<string, unknown> }
}

async function proxy(args: object, as = token): Promise<Outcome> {
  const call = { name: 'proxy_request', arguments: args }
  const { response, settle } = await gateway.fetchWith('/mcpgw/mcp', modern(as, 'tools/call', call))
  expect(response.status).toBe(200)
  const { result } = (await response.json()) as { result: Outcome }
  await settle()
  return result
}

describe('proxy_request', () => {
  it('calls a tool of a modern server, with the headers that it wants', async () => {
    const params = { name: 'region', arguments: { region: 'Zürich' } }
    const { isError, structuredContent } = await proxy({ server: 'modern', params })
    expect(isError).toBe(false)
    expect(structuredContent).toMatchObject({
      server: 'modern',
      method: 'tools/call',
      result: { content: [{ text: 'region Zürich' }] },
    })
  })

  it('opens a session with a legacy server for one request, and closes it', async () => {
    const params = { name: 'echo', arguments: { message: 'hi' } }
    const { structuredContent } = await proxy({ server: 'everything', params })
    expect(structuredContent.result).toMatchObject({ content: [{ text: 'Echo: hi' }] })
    expect(seen.size).toBe(1)
    expect([...open]).toEqual([])
  })

  // CVE-2026-27896
  it('sends no params that another reader takes for other ones', async () => {
    await room.log()
    const outcome = await proxy({ server: 'scripted', params: { name: 'echo', Name: 'hang' } })
    expect(outcome.isError).toBe(true)
    expect(outcome.content[0]?.text).toMatch(/^The member "Name" of params .*\(invalid_params\)$/s)
    expect((await room.log()).log).toEqual([])
    // What a tool is told is its own.
    const params = { name: 'echo', arguments: { name: 'a', Name: 'b' } }
    expect((await proxy({ server: 'scripted', params })).isError).toBe(false)
  })

  it('closes the session also when the request fails', async () => {
    const { isError, content } = await proxy({
      server: 'everything',
      method: 'resources/read',
      params: { uri: 'no://such' },
    })
    expect(isError).toBe(true)
    expect(content[0]?.text).toMatch(/answered with error -?\d+: /)
    expect(seen.size).toBe(1)
    expect([...open]).toEqual([])
  })

  it.each(['tools/list', 'resources/list', 'resources/templates/list', 'prompts/list'])(
    'gives %s',
    async (method) => {
      const { isError, structuredContent } = await proxy({ server: 'everything', method })
      expect(isError).toBe(false)
      expect(Object.values(structuredContent.result)).toContainEqual(
        expect.arrayContaining([expect.objectContaining({ name: expect.any(String) })]),
      )
    },
  )

  it('gives a caller its own rights there, and no more', async () => {
    const caller = await gateway.token({ subject: 'c', groups: ['callers'] })
    const list = await proxy({ server: 'modern', method: 'tools/list' }, caller)
    expect(list.structuredContent.result['tools']).toMatchObject([{ name: 'echo' }])
    const denied = await proxy({ server: 'modern', params: { name: 'fail' } }, caller)
    expect(denied).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('Unknown tool: fail') }],
    })
    const hidden = await proxy({ server: 'everything', method: 'tools/list' }, caller)
    const missing = await proxy({ server: 'nothing', method: 'tools/list' }, caller)
    expect(hidden.isError).toBe(true)
    expect(hidden.content[0]?.text.replace('everything', 'nothing')).toBe(missing.content[0]?.text)
  })

  it.each(['mcpgw', 'mcp', '../scripted', 'SCRIPTED'])('does not reach %s', async (server) => {
    expect(await proxy({ server, method: 'tools/list' })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('There is no server named') }],
    })
  })

  it.each([
    ['die_mid_json', /closed the connection/],
    ['sse_no_answer', /closed the connection/],
    ['html', /not an MCP answer/],
    ['rpc_error', /answered with error -31999: theirs/],
  ])('tells of a server that fails by %s', async (name, text) => {
    expect(await proxy({ server: 'scripted', params: { name } })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(text) }],
    })
  })

  it('does not hold an answer that no model can read', async () => {
    const params = { name: 'big', arguments: { characters: 3_000_000 } }
    expect(await proxy({ server: 'modern', params })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('more than 2097152 bytes') }],
    })
  })

  it('costs one permit, however many messages it takes', async () => {
    const poor = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '2' } })
    const own = await poor.token()
    const endpoints = [{ url: inject('everythingUrl') }]
    const server = { path: 'everything', name: 'x', endpoints }
    expect((await poor.fetch('/api/v1/servers', rest(own, 'POST', server))).status).toBe(201)
    const args = { server: 'everything', method: 'tools/list' }
    const init = modern(own, 'tools/call', { name: 'proxy_request', arguments: args })
    const first = await poor.fetch('/mcpgw/mcp', init)
    expect(await first.json()).toMatchObject({ result: { isError: false } })
    expect((await poor.fetch('/mcpgw/mcp', init)).status).toBe(429)
  })
})

describe('register_server', () => {
  it('says what is wrong with the name of a header, as REST does', async () => {
    const server = {
      path: 'x',
      name: 'x',
      headers: { 'a b': '1' },
      endpoints: [{ url: 'https://x.example' }],
    }
    const refused = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
    const { detail } = (await refused.json()) as { detail: string }
    expect([refused.status, detail]).toEqual([400, expect.not.stringContaining('Invalid key')])
    const call = modern(token, 'tools/call', { name: 'register_server', arguments: server })
    const response = await gateway.fetch('/mcpgw/mcp', call)
    expect(await response.json()).toMatchObject({
      result: { isError: true, content: [{ text: expect.stringContaining(detail) }] },
    })
  })
})
