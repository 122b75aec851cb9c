import { Validator } from '@cfworker/json-schema'
import { beforeAll, describe, expect, it } from 'vitest'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { createTestGateway, PUBLIC_URL, rest, type TestGateway } from '../support/gateway.ts'
import { registerShop, SHOP } from '../support/shop.ts'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly security?: object[]
  readonly parameters?: { name: string; in: string; required?: boolean; schema: object }[]
  readonly requestBody?: { content: Record<string, { schema: object }> }
  readonly responses: Record<string, { description: string; content?: Record<string, unknown> }>
}
interface Document {
  readonly openapi: string
  readonly info: Record<string, unknown>
  readonly servers: { url: string }[]
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { schemas: Record<string, object>; securitySchemes: object }
}

describe('/openapi.json', () => {
  const { fetcher } = createFakeUpstream(['{"name":"echo","inputSchema":{"type":"object"}}'])
  let gateway: TestGateway
  let token: string
  let document: Document
  let operations: [path: string, method: string, operation: Operation][]

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher } })
    token = await gateway.token()
    await registerShop(gateway, token)
    const response = await gateway.fetch('/openapi.json')
    expect(response.status).toBe(200)
    document = await response.json()
    operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]): [string, string, Operation] => [
        path,
        method,
        operation,
      ]),
    )
  })

  it('is OpenAPI 3.1 of this gateway', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
    expect(document.servers).toEqual([{ url: `${PUBLIC_URL}/api/v1` }])
    expect(document.components.securitySchemes).toEqual({
      bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    })
  })

  it('has for every operation a unique id, a summary, its parameters and its answers', () => {
    const ids = operations.map(([, , { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).not.toContain(undefined)
    for (const [path, method, operation] of operations) {
      expect(operation.summary, `${method} ${path}`).toMatch(/./)
      expect(operation.security).toEqual([{ bearer: [] }])
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(declared.map(({ name }) => name)).toEqual(named)
      expect(declared.every(({ required }) => required)).toBe(true)
      expect(
        Object.keys(operation.responses).filter((status) => /^2\d\d$/.test(status)),
      ).not.toEqual([])
      for (const status of ['400', '401', '403', '429']) {
        expect(operation.responses[status]?.content).toHaveProperty(['application/problem+json'])
      }
      for (const { description } of Object.values(operation.responses)) {
        expect(description).toMatch(/./)
      }
    }
  })

  it('has the sessions', () => {
    const { paths } = document
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/mcp/servers/connect',
        '/mcp/sessions/{id}',
        '/mcp/sessions/{id}/info',
        '/mcp/sessions/{id}/prompts',
        '/mcp/sessions/{id}/resources',
        '/mcp/sessions/{id}/resources/read',
        '/mcp/sessions/{id}/tools',
        '/mcp/sessions/{id}/tools/call',
      ]),
    )
    expect(paths['/mcp/sessions/{id}']?.['delete']?.['security']).toEqual([{ bearer: [] }])
  })

  it('refers only to what is there, and keeps to the words of 3.1', () => {
    const visit = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(visit)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return
      for (const [key, member] of Object.entries(value)) {
        if (key === '$ref') expect(resolve(document, String(member)), String(member)).toBeDefined()
        if (key === 'pattern') {
          // A pattern has no delimiters and no flags (JSON Schema 2020-12, Regular expressions).
          expect(String(member)).not.toMatch(/^\/|\/[a-z]*$/)
          expect(() => new RegExp(String(member), 'u')).not.toThrow()
        }
        if (key === 'nullable') expect(typeof member).not.toBe('boolean')
        if (key === 'exclusiveMinimum') expect(typeof member).not.toBe('boolean')
        visit(member)
      }
    }
    visit(document)
  })

  it('has schemas that take what the gateway takes and gives, and refuse what it refuses', async () => {
    const validate = (name: string, value: unknown) => {
      const schema = { $ref: `#/components/schemas/${name}`, components: document.components }
      return new Validator(schema as object, '2020-12').validate(value)
    }
    const valid = { valid: true, errors: [] }
    expect(validate('ServerInput', SHOP)).toEqual(valid)
    expect(validate('ServerInput', { ...SHOP, extra: 1 }).valid).toBe(false)
    expect(validate('ServerInput', { ...SHOP, path: 'No' }).valid).toBe(false)
    expect(validate('ServerInput', { ...SHOP, endpoints: [] }).valid).toBe(false)
    const get = async (path: string) => (await gateway.fetch(path, rest(token, 'GET'))).json()
    expect(validate('Server', await get('/api/v1/servers/shop'))).toEqual(valid)
    expect(validate('ServerPage', await get('/api/v1/servers'))).toEqual(valid)
    expect(validate('ToolPage', await get('/api/v1/servers/shop/tools'))).toEqual(valid)
    expect(validate('ServerHealth', await get('/api/v1/servers/shop/health'))).toEqual(valid)
    expect(validate('Me', await get('/api/v1/me'))).toEqual(valid)
    expect(validate('PolicySeed', await get('/api/v1/policy'))).toEqual(valid)
    expect(validate('LimitRuleList', await get('/api/v1/limits'))).toEqual(valid)
    expect(validate('LimitUsage', await get('/api/v1/limits/usage'))).toEqual(valid)
    expect(validate('Problem', await get('/api/v1/servers/none'))).toEqual(valid)
  })

  it('describes every route that is served, and only those', async () => {
    const candidates = [
      ...['/me', '/policy', '/servers', '/servers/{path}'],
      ...['toggle', 'refresh', 'tools', 'health'].map((verb) => `/servers/{path}/${verb}`),
      ...['/virtual-servers', '/virtual-servers/{path}'],
      ...['toggle', 'repin'].map((verb) => `/virtual-servers/{path}/${verb}`),
      ...['/services', '/services/{id}', '/services/{id}/health'],
      ...['/discovery/resources', '/discovery/tools'],
      ...['/limits', '/limits/usage', '/limits/{id}'],
      ...['/mcp/servers/connect', '/mcp/sessions/{id}', '/mcp/sessions/{id}/info'],
      ...['tools', 'resources', 'prompts'].map((list) => `/mcp/sessions/{id}/${list}`),
      ...['tools/call', 'resources/read'].map((verb) => `/mcp/sessions/{id}/${verb}`),
    ]
    // Served at the root, as its own entry of the document says.
    const { '/mcp/tools': allTools, ...paths } = document.paths
    expect(allTools).toMatchObject({ get: { servers: [{ url: '/' }] } })
    expect(Object.keys(paths).sort()).toEqual(candidates.sort())
    for (const path of candidates) {
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        // `usage` is read alone; to every other method it is an id like any.
        const at = method === 'get' ? path : path.replace('/usage', '/{id}')
        const isDescribed = document.paths[at]?.[method] !== undefined
        const url = `/api/v1${path.replace(/\{(path|id)\}/, 'shop')}`
        const response = await gateway.fetch(url, { method: method.toUpperCase() })
        const status = `${method} ${path}: ${response.status}`
        expect(status).toBe(`${method} ${path}: ${isDescribed ? 401 : 404}`)
      }
    }
  })
})

/** What a local reference points to. */
function resolve(document: unknown, ref: string): unknown {
  return ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>(
      (value, part) => (value as Record<string, unknown> | undefined)?.[part],
      document,
    )
}
