import { expect } from 'vitest'
import { createFakeUpstream, type FakeUpstream } from './fake-upstream.ts'
import { createTestGateway, modern, rest, type TestGateway } from './gateway.ts'

export const LIST_ITEMS =
  '{"name":"list_items","inputSchema":{"type":"object"},"x-vendor":{"n":1.0}}'
export const COUNT_ITEMS = '{"inputSchema": {"type":"object"}, "name":"count_items"}'
export const DROP_TABLE =
  '{"name":"drop_table","description":"[\\"{,","inputSchema":{"type":"object","properties":{"name":{"type":"string","default":"list_items"}}}}'

/** Who is in `clerks` may call two tools of `shop`, and of `off` if it were on. */
export const POLICY = {
  'UI-Scopes': { clerk: { list_service: ['shop'] } },
  group_mappings: { clerks: ['clerk'], listers: ['lister'], people: ['user'] },
  clerk: [
    {
      server: 'shop',
      methods: ['tools/list', 'tools/call'],
      tools: ['list_items', 'count_items'],
    },
    { server: 'off', methods: ['tools/list', 'tools/call'], tools: ['list_items'] },
  ],
  lister: [
    { server: 'shop', methods: ['tools/list'] },
    { server: 'shop', methods: ['tools/call'], tools: ['count_items'] },
  ],
}

/** The same id on every request, so that two answers may be compared whole. */
export const REQUEST_ID = { 'x-request-id': 'flow-request-1' }

/** Tools of every server, as the upstream lists them. */
export const SHOP_TOOLS = [DROP_TABLE, LIST_ITEMS, COUNT_ITEMS]

/** A modern call of a tool, by a header that is well-formed for any name. */
export const call = (token: string, name: string, headers: Record<string, string> = {}) =>
  modern(
    token,
    'tools/call',
    { name, arguments: {} },
    { ...REQUEST_ID, 'mcp-name': encoded(name), ...headers },
  )

/** A name as a client must write it in a header (MCP 2026-07-28, Value encoding). */
function encoded(name: string): string {
  if (/^[\x21-\x7e]+$/.test(name)) return name
  return `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(name)))}?=`
}

/** All that a caller can tell one answer from another by; `name` stands for the name asked for. */
export async function looksOf(response: Response, name: string) {
  const text = await response.text()
  // It counts down with each call, whatever was asked for.
  const { ratelimit: _, ...headers } = Object.fromEntries(response.headers)
  return {
    status: response.status,
    headers,
    body: text.replaceAll(JSON.stringify(name).slice(1, -1), '<name>'),
  }
}

/** Registers servers of every visibility, and puts the policy. */
export async function setUp(gateway: TestGateway, admin: string): Promise<void> {
  for (const [path, body] of [
    ['shop', {}],
    ['hidden', {}],
    ['off', { enabled: false }],
    ['mine', { visibility: 'private' }],
    ['ours', { visibility: 'group', allowedGroups: ['owners'] }],
  ] as const) {
    const endpoints = [{ url: `https://${path}.example/mcp` }]
    const created = await gateway.fetch(
      '/api/v1/servers',
      rest(admin, 'POST', { path, name: path, endpoints, ...body }),
    )
    expect(created.status).toBe(201)
  }
  const replaced = await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
  expect(replaced.status).toBe(200)
}

/** A tenant with those servers, all of them one upstream, and that policy. */
export interface ShopTenant {
  readonly gateway: TestGateway
  readonly admin: string
  /** Of somebody in `clerks`. */
  readonly clerk: string
  readonly upstream: FakeUpstream
  /** To the server `shop`. */
  shop(init: RequestInit): Promise<Response>
  /** Before each test. */
  reset(): void
}

/** @see ShopTenant */
export async function shopTenant(): Promise<ShopTenant> {
  const upstream = createFakeUpstream(SHOP_TOOLS)
  const gateway = createTestGateway({ seams: { fetcher: upstream.fetcher } })
  const admin = await gateway.token()
  await setUp(gateway, admin)
  const clerk = await gateway.token({ subject: 'cleo', groups: ['clerks'] })
  return {
    gateway,
    admin,
    clerk,
    upstream,
    shop: (init) => gateway.fetch('/shop/mcp', init),
    reset() {
      upstream.answersBy = 'json'
      upstream.seen.length = 0
    },
  }
}

/** One server that no policy names: administrators alone may call it. */
export const SHOP = {
  path: 'shop',
  name: 'Shop',
  endpoints: [{ url: 'https://shop.example/mcp' }],
}

/** Registers `SHOP`; `more` overrides. */
export async function registerShop(
  gateway: TestGateway,
  admin: string,
  more: object = {},
): Promise<void> {
  const created = await gateway.fetch('/api/v1/servers', rest(admin, 'POST', { ...SHOP, ...more }))
  expect(created.status).toBe(201)
}
