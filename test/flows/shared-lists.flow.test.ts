import { beforeAll, describe, expect, inject, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

interface Listed {
  readonly tools?: { name: string }[]
  readonly nextCursor?: string
  readonly ttlMs?: number
  readonly cacheScope?: string
  readonly _meta?: Record<string, unknown>
}

const UNAVAILABLE = 'dev.gatehouse/unavailable'

async function resultOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text()
  const data = text.split('\n').filter((line) => line.startsWith('data: {'))
  const message = JSON.parse(data.at(-1)?.slice('data: '.length) ?? text)
  if (message.error) throw new Error(JSON.stringify(message.error))
  return message.result
}

describe('/mcp', () => {
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    for (const [path, url] of [
      ['modern', inject('modernUrl')],
      ['everything', inject('everythingUrl')],
      ['dual', `${inject('scriptedOrigin')}/dual/shared-lists`],
    ]) {
      const created = await gateway.fetch(
        '/api/v1/servers',
        rest(token, 'POST', { path, name: path, endpoints: [{ url }] }),
      )
      expect(created.status).toBe(201)
    }
  })

  const post = (init: RequestInit) => gateway.fetch('/mcp', init)

  async function open(): Promise<Record<string, string>> {
    const opened = await post(legacy(token, 'initialize', hello()))
    expect(opened.status).toBe(200)
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const told = await post(legacy(token, 'notifications/initialized', {}, headers, NOTIFICATION))
    expect(told.status).toBe(202)
    return headers
  }

  it('lists the tools of every server, whatever era it speaks', async () => {
    const result: Listed = await resultOf(await post(modern(token, 'tools/list')))
    const names = result.tools?.map(({ name }) => name) ?? []
    expect(names).toContain('modern__echo')
    expect(names).toContain('list_servers')
    expect(names.some((name) => name.startsWith('dual__'))).toBe(true)
    expect(names).toContain('everything__echo')
    expect(result._meta?.[UNAVAILABLE]).toBeUndefined()
    expect([result.ttlMs, result.cacheScope]).toEqual([0, 'private'])
  })

  it('discovers itself', async () => {
    const result = await resultOf(await post(modern(token, 'server/discover')))
    expect(result).toMatchObject({
      supportedVersions: ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'],
      capabilities: { tools: {} },
      cacheScope: 'private',
    })
  })

  it('calls a tool by the name it is listed under', async () => {
    const call = { name: 'modern__echo', arguments: { message: 'hi' } }
    const result = await resultOf(await post(modern(token, 'tools/call', call)))
    expect(JSON.stringify(result)).toContain('Echo: hi')
  })

  it('serves a legacy client, tools, resources and prompts', async () => {
    const headers = await open()
    const ask = async (method: string, params = {}) =>
      resultOf(await post(legacy(token, method, params, headers)))
    const { tools } = (await ask('tools/list')) as Listed
    expect(tools?.map(({ name }) => name)).toContain('everything__echo')
    const call = { name: 'everything__echo', arguments: { message: 'ho' } }
    expect(JSON.stringify(await ask('tools/call', call))).toContain('Echo: ho')
    const { resources } = (await ask('resources/list')) as { resources: { uri: string }[] }
    expect(resources[0]?.uri).toMatch(/^mcp\+everything\+demo:\/\//)
    const read = (await ask('resources/read', { uri: resources[0]?.uri })) as {
      contents: { uri: string }[]
    }
    expect(read.contents[0]?.uri).toBe(resources[0]?.uri)
    const { prompts } = (await ask('prompts/list')) as { prompts: { name: string }[] }
    expect(prompts.map(({ name }) => name)).toContain('everything__simple-prompt')
    const got = await ask('prompts/get', { name: 'everything__simple-prompt' })
    expect(JSON.stringify(got)).toContain('messages')
    expect(await ask('ping')).toEqual({})
  })
})
