import { beforeEach, describe, expect, it } from 'vitest'
import { EndpointId, GatewayError } from '../../src/core/index.ts'
import type { Discovery } from '../../src/registry/index.ts'
import { DISCOVERY, freshGateway, isDown, type TestGateway } from './gateway.ts'

let gateway: TestGateway

beforeEach(() => {
  gateway = freshGateway('registry-transports')
})

const speaking = (transport: Discovery['transport']) => () => ({ ...DISCOVERY, transport })
const at = (url: string) => ({ endpoints: [{ url }] })
const send = (method: string, body?: object, query = '') =>
  gateway.send('admins', method, `/servers/clock${query}`, body)
const tried = () => gateway.asked.map(({ transports }) => transports)

describe('the transport of a server', () => {
  it('is found out, and stored with its date', async () => {
    gateway.state.discover = speaking('sse')
    const answer = await gateway.register()
    const stored = {
      transport: 'sse',
      transportChoice: 'auto',
      transportDetectedAt: '2026-11-01T00:00:00.000Z',
    }
    expect(answer).toMatchObject({ status: 201, body: stored })
    expect((await send('GET')).body).toMatchObject(stored)
    expect(tried()).toEqual([['streamable-http', 'sse']])
  })

  it.each(['sse', 'streamable-http'])('is what a registration names: %s', async (transport) => {
    gateway.state.discover = speaking(transport as 'sse')
    const answer = await gateway.register({ transport })
    expect(answer.body).toMatchObject({
      ...{ transport, transportChoice: transport, transportDetectedAt: null },
    })
    expect(tried()).toEqual([[transport]])
  })

  it('is WebSocket for a URL of that scheme, and nothing else is tried', async () => {
    gateway.state.discover = speaking('websocket')
    const answer = await gateway.register(at('wss://clock.example/mcp'))
    expect(answer.body).toMatchObject({ transport: 'websocket', transportChoice: 'auto' })
    expect(tried()).toEqual([['websocket']])
  })

  it.each([
    ['ws://clock.example/mcp', 'must use wss; list its host in PRIVATE_UPSTREAMS to allow ws'],
    ['wss://10.0.0.1/mcp', 'points to a private address; list its host in'],
    ['wss://169.254.169.254/', 'points to a cloud metadata service'],
    ['wss://user:password@clock.example/', 'must not carry credentials'],
    ['wss://clock.example/?token=1', 'must not carry a credential'],
    ['ftp://clock.example/', 'must be an https URL'],
  ])('has the same rules for addresses: %s', async (url, message) => {
    const answer = await gateway.register(at(url))
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        problems: [{ path: 'endpoints.0.url', message: expect.stringContaining(message) }],
      },
    })
    expect(gateway.asked).toEqual([])
  })

  it.each([
    [
      'sse',
      ['wss://a.example/'],
      'endpoints.0.url',
      'must be an http(s) URL, for the transport sse',
    ],
    ['websocket', ['https://a.example/'], 'endpoints.0.url', 'must be a ws(s) URL, for the tran'],
    [
      'auto',
      ['https://a.example/', 'wss://a.example/'],
      'endpoints.1.url',
      'must be an http(s) URL, as the first endpoint is',
    ],
  ])('is one for all endpoints: %s with %j', async (transport, urls, path, message) => {
    const answer = await gateway.register({ transport, endpoints: urls.map((url) => ({ url })) })
    expect(answer).toMatchObject({
      status: 400,
      body: { problems: [{ path, message: expect.stringContaining(message) }] },
    })
  })

  it('is decided by the first endpoint that answers, for the others too', async () => {
    gateway.state.discover = speaking('sse')
    await gateway.register({
      endpoints: [{ url: 'https://a.example/' }, { url: 'https://b.example/' }],
    })
    expect(tried()).toEqual([['streamable-http', 'sse'], ['sse']])
  })

  it('is open while nobody could be asked, and settled by the first answer', async () => {
    gateway.state.discover = isDown
    const answer = await gateway.register({}, '?allowUnreachable=true')
    const open = { transport: 'streamable-http', transportDetectedAt: null }
    expect(answer).toMatchObject({ status: 201, body: open })
    const [{ id }] = answer.body['endpoints'] as [{ id: string }]
    const { probes } = gateway.registry
    const [target] = await probes.loadProbeTargets(gateway.ctx, [EndpointId.parse(id)])
    expect(target).toMatchObject({ ...open, transportChoice: 'auto' })
    if (!target) throw new Error('no target')
    const { changed } = await probes.storeCatalog(gateway.ctx, target, speaking('sse')())
    expect(changed).toBe(true)
    expect((await send('GET')).body).toMatchObject({
      ...{ transport: 'sse', transportDetectedAt: '2026-11-01T00:00:00.000Z' },
    })
  })

  it('is stored when it alone has changed', async () => {
    await gateway.register()
    const [{ id }] = (await send('GET')).body['endpoints'] as [{ id: string }]
    const { probes } = gateway.registry
    const [target] = await probes.loadProbeTargets(gateway.ctx, [EndpointId.parse(id)])
    if (!target) throw new Error('no target')
    await probes.storeCatalog(gateway.ctx, target, speaking('sse')())
    expect((await send('GET')).body).toMatchObject({ transport: 'sse' })
  })

  it('is found out anew by a refresh, in the order of a registration', async () => {
    gateway.state.discover = speaking('sse')
    await gateway.register()
    gateway.state.now += 60_000
    gateway.state.discover = speaking('streamable-http')
    const refreshed = await gateway.send('admins', 'POST', '/servers/clock/refresh')
    expect(refreshed).toMatchObject({
      status: 200,
      body: { transport: 'streamable-http', transportDetectedAt: '2026-11-01T00:01:00.000Z' },
    })
    expect(tried()[1]).toEqual(['streamable-http', 'sse'])
  })

  it('stays as it is when a refresh reaches nobody', async () => {
    gateway.state.discover = speaking('sse')
    await gateway.register()
    gateway.state.discover = isDown
    expect((await gateway.send('admins', 'POST', '/servers/clock/refresh')).status).toBe(422)
    expect((await send('GET')).body).toMatchObject({ transport: 'sse' })
  })

  it('can be named later, and left to the gateway again; the server is asked each time', async () => {
    await gateway.register()
    gateway.state.discover = speaking('sse')
    const named = await send('PATCH', { transport: 'sse' })
    expect(named.body).toMatchObject({
      ...{ transport: 'sse', transportChoice: 'sse', transportDetectedAt: null },
    })
    const left = await send('PATCH', { transport: 'auto' })
    expect(left.body).toMatchObject({
      transport: 'sse',
      transportChoice: 'auto',
      transportDetectedAt: expect.any(String),
    })
    expect(tried().slice(1)).toEqual([['sse'], ['streamable-http', 'sse']])
  })

  it('must fit the endpoints that are stored', async () => {
    await gateway.register()
    const answer = await send('PATCH', { transport: 'websocket' })
    expect(answer).toMatchObject({ status: 400, body: { problems: [{ path: 'endpoints.0.url' }] } })
  })

  it('is not asked for by a change of something else', async () => {
    await gateway.register({ transport: 'streamable-http' })
    gateway.asked.length = 0
    const answer = await send('PATCH', { description: 'x' })
    expect(answer.body).toMatchObject({ transportChoice: 'streamable-http' })
    expect(gateway.asked).toEqual([])
  })

  it('is told to the snapshot that calls read', async () => {
    gateway.state.discover = speaking('sse')
    await gateway.register()
    const snapshot = await gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
    expect(await snapshot.server(gateway.ctx, 'clock')).toMatchObject({ transport: 'sse' })
  })

  it('says what failed in the way in which the server was asked first', async () => {
    gateway.state.discover = () => {
      throw new GatewayError('upstream_unreachable', 'first')
    }
    expect(await gateway.register()).toMatchObject({
      status: 422,
      body: { endpoints: [{ problem: 'first' }] },
    })
  })
})
