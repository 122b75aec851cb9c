import { Validator } from '@cfworker/json-schema'
import { beforeAll, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, rest, type TestGateway } from '../support/gateway.ts'

const upstream = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
const SERVER = { path: 'shop', name: 'Shop', endpoints: [{ url: 'https://shop.example/mcp' }] }
const DESK = { path: 'desk', name: 'Desk', tools: [{ server: 'shop', name: 'echo', as: 'say' }] }

const ROUTES: readonly [method: string, path: string, body?: object][] = [
  ['GET', '/virtual-servers'],
  ['POST', '/virtual-servers', { ...DESK, path: 'new' }],
  ['GET', '/virtual-servers/desk'],
  ['PUT', '/virtual-servers/desk', DESK],
  ['PATCH', '/virtual-servers/desk', { name: 'x' }],
  ['POST', '/virtual-servers/desk/toggle', {}],
  ['POST', '/virtual-servers/desk/repin', {}],
  ['DELETE', '/virtual-servers/desk'],
  ['GET', '/services'],
  ['GET', '/services/shop'],
  ['GET', '/services/shop/health'],
]

let gateway: TestGateway
let root: string

const api = (token: string, method: string, path: string, body?: object) =>
  gateway.fetch(`/api/v1${path}`, rest(token, method, body))

beforeAll(async () => {
  gateway = createTestGateway({ seams: { fetcher: upstream.fetcher } })
  root = await gateway.token()
  expect((await api(root, 'POST', '/servers', SERVER)).status).toBe(201)
  expect((await api(root, 'POST', '/virtual-servers', DESK)).status).toBe(201)
  upstream.seen.length = 0
})

describe('a route of virtual servers and services', () => {
  it.each(ROUTES)('is 401 without a token: %s %s', async (method, path, body) => {
    const { headers: _headers, ...bare } = rest('', method, body)
    const missing = await gateway.fetch(`/api/v1${path}`, bare)
    const forged = await api(`${root.slice(0, -4)}AAAA`, method, path, body)
    for (const response of [missing, forged]) {
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /)
      expect(await response.json()).toMatchObject({ status: 401, code: 'unauthenticated' })
    }
  })

  it.each(ROUTES)('is 403 with the scope to call alone: %s %s', async (method, path, body) => {
    const token = await gateway.token({ scopes: ['gatehouse:call'] })
    const response = await api(token, method, path, body)
    expect(response.status).toBe(403)
    expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(await response.json()).toMatchObject({ status: 403, code: 'insufficient_scope' })
  })

  it.each(ROUTES)(
    'is forbidden or not found without a group: %s %s',
    async (method, path, body) => {
      const token = await gateway.token({ subject: 'nobody' })
      const response = await api(token, method, path, body)
      const isOfOne = /(desk|shop)/.test(path)
      expect(response.status).toBe(isOfOne ? 404 : 403)
      const code = isOfOne ? 'not_found' : 'forbidden'
      expect(await response.json()).toMatchObject({ code })
    },
  )

  it('shows nothing of another tenant', async () => {
    const other = createTestGateway()
    const token = await other.token()
    for (const [method, path, body] of ROUTES) {
      if (!/(desk|shop)/.test(path)) continue
      const response = await api(token, method, path, body)
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ code: 'not_found' })
    }
    expect(await (await api(token, 'GET', '/virtual-servers')).json()).toEqual({
      virtualServers: [],
    })
    expect(await (await api(token, 'GET', '/services')).json()).toEqual({ services: [], count: 0 })
    const made = await api(token, 'POST', '/virtual-servers', DESK)
    expect(made.status).toBe(400)
    expect(await made.json()).toMatchObject({ problems: [{ path: 'tools.0' }] })
  })

  it('answers as its schema says, with the headers of every answer', async () => {
    const document = (await (await gateway.fetch('/openapi.json')).json()) as {
      components: object
    }
    const check = async (name: string, path: string) => {
      const response = await api(root, 'GET', path)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toMatch(/^application\/json/)
      expect(response.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9_-]{8,64}$/)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      const schema = { $ref: `#/components/schemas/${name}`, components: document.components }
      const validated = new Validator(schema, '2020-12').validate(await response.json())
      expect(validated).toEqual({ valid: true, errors: [] })
    }
    await check('VirtualServerPage', '/virtual-servers')
    await check('VirtualServer', '/virtual-servers/desk')
    await check('ServicePage', '/services')
    await check('Service', '/services/shop')
    await check('ServiceHealth', '/services/shop/health')
  })

  it('asks no upstream', () => {
    expect(upstream.seen).toEqual([])
  })
})
