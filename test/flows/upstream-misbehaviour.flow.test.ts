import { beforeAll, describe, expect, inject, it } from 'vitest'
import { createTestGateway, hello, legacy, rest, type TestGateway } from '../support/gateway.ts'

const origin = () => inject('linkOrigin')
const sse = (mood: string) => `${origin()}/odd-sse/${mood}`
const socket = (mood: string) => `${origin().replace('http', 'ws')}/odd-ws/${mood}`

let gateway: TestGateway
let token: string
beforeAll(async () => {
  gateway = createTestGateway()
  token = await gateway.token()
})

async function register(path: string, url: string, more: object = {}) {
  const body = { path, name: path, endpoints: [{ url }], timeoutMs: 1_000, ...more }
  const response = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
  return { status: response.status, text: await response.text() }
}

describe('a server that cannot be connected to', () => {
  it.each([
    ['whose first event names another origin', sse('foreign-endpoint'), 'sse', 'not allowed'],
    ['that never names where messages go', sse('no-endpoint'), 'sse', 'timed out'],
    ['that shows a page', sse('page'), 'sse', 'HTTP 405'],
    ['that never says hello', socket('silent'), 'auto', 'timed out'],
    ['that talks garbage', socket('garbage-first'), 'auto', 'failed or was closed'],
    ['that speaks another subprotocol', socket('other-protocol'), 'auto', 'HTTP 502'],
  ])('is refused at once: one %s', async (_what, url, transport, problem) => {
    const { status, text } = await register('nobody', url, { transport })
    expect([status, text]).toEqual([422, expect.stringContaining(problem)])
    expect(text).not.toContain('127.0.0.2')
  })

  it('is refused for what the first way showed, when no way leads there', async () => {
    const { status, text } = await register('nobody', sse('nothing'))
    expect([status, text]).toEqual([422, expect.stringContaining('HTTP 404')])
  })

  it('is never sent anything at a private address', async () => {
    const guarded = createTestGateway({ vars: { PRIVATE_UPSTREAMS: '' } })
    const body = { path: 'inside', name: 'x', endpoints: [{ url: socket('silent') }] }
    const admin = await guarded.token()
    const response = await guarded.fetch('/api/v1/servers', rest(admin, 'POST', body))
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('points to a private address')
  })
})

describe('a server of WebSocket that misbehaves in the middle of a call', () => {
  async function call(mood: string, more: object = {}) {
    const path = `odd-${mood}`
    expect(await register(path, socket(mood), more)).toMatchObject({ status: 201 })
    const opened = await gateway.fetch(`/${path}/mcp`, legacy(token, 'initialize', hello()))
    await opened.text()
    const headers = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const params = { name: 'go', _meta: { progressToken: 'flow' } }
    const go = () =>
      gateway.fetch(`/${path}/mcp`, legacy(token, 'tools/call', params, headers, 'mine'))
    const list = () => gateway.fetch(`/${path}/mcp`, legacy(token, 'tools/list', {}, headers))
    return { go, list }
  }
  const messagesOf = (text: string) =>
    [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? ''))
  const lost = { id: 'mine', error: { data: { code: 'upstream_failed' } } }

  it.each(['garbage', 'binary', 'questions', 'pings', 'breaks'])(
    'costs that call alone, and the next one finds a server: %s',
    async (mood) => {
      const { go, list } = await call(mood)
      const messages = messagesOf(await (await go()).text())
      expect(messages.filter(({ method }) => method === undefined)).toMatchObject([lost])
      const listed = await list()
      expect(messagesOf(await listed.text())).toMatchObject([
        { result: { tools: [{ name: 'go' }] } },
      ])
    },
  )

  it('gives nobody the answers to what was never asked', async () => {
    const { go } = await call('strangers')
    const messages = messagesOf(await (await go()).text())
    expect(messages).toMatchObject([{ id: 'mine', result: { content: [{ text: 'done' }] } }])
  })

  it('is waited for no longer than it may take', async () => {
    const { go } = await call('never')
    const messages = messagesOf(await (await go()).text())
    expect(messages).toMatchObject([{ id: 'mine', error: {} }])
  })

  it('fills no memory when its client does not read', async () => {
    const { go, list } = await call('flood', { timeoutMs: 30_000 })
    const response = await go()
    // Somebody else is served meanwhile; on the wire the answer stands behind the whole flood.
    const listed = await list()
    expect(messagesOf(await listed.text())).toMatchObject([{ result: {} }])
    const messages = messagesOf(await response.text())
    expect(messages.length).toBeLessThan(1_500)
    expect(messages.at(-1)).toMatchObject(lost)
  })
})
