import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { PUBLIC_URL } from '../support/gateway.ts'
import { base64, ECHO, type ModernRelay, modernRelay } from '../support/modern-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('the modern relay', () => {
  const room = scriptedRoom('relay-modern-headers')
  let relay: ModernRelay

  beforeAll(async () => {
    relay = await modernRelay(room)
  })

  beforeEach(() => relay.reset())

  // req: hop-headers-stay
  // req: client-token-stays
  // req: hop-version-agrees
  it('builds the headers of hop 2 from nothing', async () => {
    const response = await relay.call(ECHO, {
      origin: PUBLIC_URL,
      cookie: 'session=canary',
      'x-api-key': 'canary',
      forwarded: 'for=canary',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-host': 'canary.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-user': 'canary',
      'x-real-ip': '10.0.0.1',
      'cf-access-jwt-assertion': 'canary',
      'cf-connecting-ip': '10.0.0.1',
      'cf-ray': 'canary',
      'x-user': 'canary',
      'x-groups': 'admin',
      'mcp-init-host': 'evil.example',
      'mcp-session-id': 'canary',
      'last-event-id': 'canary',
      'x-internal-token': 'canary',
      'x-gateway-secret': 'canary',
      'x-mcp-authorized': 'canary',
      'x-request-id': 'canary',
      'user-agent': 'canary',
      referer: 'https://canary.example',
      te: 'trailers',
      'proxy-authorization': 'canary',
    })
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await room.log()).log
    // The platform itself adds the name of the Worker's zone, and how bodies may be packed.
    const {
      host,
      'content-length': length,
      'cf-worker': _zone,
      'accept-encoding': _packing,
      connection: _connection,
      ...headers
    } = logged?.headers ?? {}
    expect(inject('scriptedOrigin')).toContain(host)
    expect(Number(length)).toBeGreaterThan(0)
    expect(headers).toEqual({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
      'mcp-protocol-version': '2026-07-28',
      'user-agent': expect.stringMatching(/^Gatehouse\//),
      'x-service-name': 'gatehouse',
    })
  })

  // req: client-token-stays
  it('authenticates by X-Authorization alone, and sends neither on', async () => {
    const good = {
      authorization: 'Bearer for-the-upstream',
      'x-authorization': `Bearer ${relay.token}`,
    }
    expect((await relay.call(ECHO, good)).status).toBe(200)
    const [logged] = (await room.log()).log
    expect(JSON.stringify(logged)).not.toContain('for-the-upstream')
    expect(JSON.stringify(logged)).not.toContain(relay.token)
    const bad = { authorization: `Bearer ${relay.token}`, 'x-authorization': 'Bearer nonsense' }
    expect((await relay.call(ECHO, bad)).status).toBe(401)
    expect((await room.log()).log).toEqual([])
  })

  // req: mirrored-headers-recomputed
  it.each([
    ['echo', base64('echo'), 'echo'],
    ['echo', ' echo ', 'echo'],
    ['größe', base64('größe'), base64('größe')],
    ['two words ', base64('two words '), base64('two words ')],
    [base64('echo'), base64(base64('echo')), base64(base64('echo'))],
  ])('announces the tool %j, mirrored as %j, as %j', async (name, mirrored, announced) => {
    const response = await relay.call({ name, arguments: {} }, { 'mcp-name': mirrored })
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await room.log()).log
    expect(logged?.headers['mcp-name']).toBe(announced)
    expect(JSON.parse(logged?.body ?? '').params.name).toBe(name)
  })

  // req: mirrored-headers-recomputed
  it('computes Mcp-Param from the body, and passes unknown ones on', async () => {
    const response = await relay.call(
      { name: 'region', arguments: { region: 'Zürich ', deep: { count: -5 } } },
      {
        'mcp-param-region': base64('Zürich '),
        'mcp-param-count': base64('-5.0'),
        'mcp-param-unknown': 'kept',
      },
    )
    expect(response.status).toBe(200)
    await response.text()
    const [logged] = (await room.log()).log
    const params = Object.entries(logged?.headers ?? {}).filter(([name]) => name.includes('param'))
    expect(Object.fromEntries(params)).toEqual({
      'mcp-param-region': base64('Zürich '),
      'mcp-param-count': '-5',
      'mcp-param-unknown': 'kept',
    })
  })
})
