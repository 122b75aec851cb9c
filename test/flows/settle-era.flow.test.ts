import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createFleet } from '../support/fleet.ts'
import {
  createTestGateway,
  hello,
  legacy,
  modern,
  rest,
  type TestGateway,
} from '../support/gateway.ts'

const fleet = createFleet(
  [
    { name: 'both', era: 'dual' },
    { name: 'new', era: 'modern' },
    { name: 'mute', era: 'dual' },
  ],
  2,
)

/** What a server says of its eras once a legacy client has come, and what that costs. */
describe('a server that answered in the modern era', () => {
  const methods: string[] = []
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    fleet.setMood(fleet.members, 'up')
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    for (const { name } of fleet.members) {
      const body = {
        ...{ path: name, name, timeoutMs: 1_000 },
        endpoints: [{ url: `https://${name}.example/mcp` }],
      }
      const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
      expect(created.status, await created.text()).toBe(201)
    }
  })

  beforeEach(() => {
    methods.length = 0
  })

  async function fetcher(request: Request): Promise<Response> {
    const body = await request.clone().text()
    methods.push(body === '' ? request.method : JSON.parse(body).method)
    return fleet.answer(new URL(request.url).hostname.split('.')[0] ?? '', request)
  }

  async function factsOf(path: string): Promise<Record<string, unknown>> {
    const got = await gateway.fetch(`/api/v1/servers/${path}`, rest(token, 'GET'))
    return (await got.json<{ upstream: Record<string, unknown> }>()).upstream
  }

  const greet = (path: string) =>
    gateway.fetch(`/${path}/mcp`, legacy(token, 'initialize', hello()))

  it('is not asked for the legacy handshake when it is registered', async () => {
    const body = { path: 'fresh', name: 'Fresh', endpoints: [{ url: 'https://new.example/mcp' }] }
    await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
    expect(methods).toEqual(['server/discover', 'tools/list'])
    expect(await factsOf('fresh')).toMatchObject({ eras: 'modern', legacy: 'untried' })
  })

  it('is asked by the first legacy client, and never again', async () => {
    expect((await greet('both')).status).toBe(200)
    const asked = ['initialize', 'notifications/initialized', 'DELETE']
    expect(methods).toEqual([...asked, 'initialize'])
    const facts = await factsOf('both')
    expect(facts).toMatchObject({ eras: 'dual', sessionful: true })
    expect(facts).not.toHaveProperty('legacy')
    methods.length = 0
    expect((await greet('both')).status).toBe(200)
    expect(methods).toEqual(['initialize'])
  })

  it('says that it refuses the handshake, once', async () => {
    expect((await greet('new')).status).toBe(200)
    expect(methods).toEqual(['initialize'])
    expect(await factsOf('new')).toMatchObject({ eras: 'modern', sessionful: false })
    const greeted = await greet('new')
    expect(await greeted.json()).toMatchObject({ result: { protocolVersion: '2025-11-25' } })
    expect(methods).toEqual(['initialize'])
  })

  it('keeps what it says when it is discovered anew', async () => {
    await gateway.fetch('/api/v1/servers/both/refresh', rest(token, 'POST'))
    expect(await factsOf('both')).toMatchObject({ eras: 'dual', sessionful: true })
  })

  it('stays unsettled by silence, which costs modern clients nothing', async () => {
    const mute = fleet.members.filter(({ name }) => name === 'mute')
    fleet.setMood(mute, 'hanging')
    const silent = await greet('mute')
    expect(await silent.json()).toMatchObject({ error: { code: -31015 } })
    expect(await factsOf('mute')).toMatchObject({ eras: 'modern', legacy: 'untried' })
    fleet.setMood(mute, 'up')
    const called = { name: 'tool-0', arguments: {} }
    expect((await gateway.fetch('/mute/mcp', modern(token, 'tools/call', called))).status).toBe(200)
    expect((await greet('mute')).status).toBe(200)
    expect(await factsOf('mute')).toMatchObject({ eras: 'dual' })
  })
})
