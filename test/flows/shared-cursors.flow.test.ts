import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

/** More than fits one page of the gateway, in pages of the upstream's own. */
const TOOLS = Array.from({ length: 1_900 }, (_, index) => `tool-${index}`)
const UPSTREAM_PAGE = 700

interface Page {
  readonly tools: { readonly name: string }[]
  readonly nextCursor?: string
}

describe('a merged list in pages', () => {
  let now = Date.now()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { fetcher, clock: { now: () => now } } })
    token = await gateway.token({ ttlSeconds: 10 * 86_400 })
    for (const path of ['big', 'small']) {
      const server = { path, name: path, endpoints: [{ url: `https://${path}.example/mcp` }] }
      const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
      expect(created.status, await created.text()).toBe(201)
    }
  })

  const ask = (cursor?: unknown, as = token, method = 'tools/list', path = '/mcp') =>
    gateway.fetch(path, modern(as, method, cursor === undefined ? {} : { cursor }))

  async function page(cursor?: unknown): Promise<Page> {
    const response = await ask(cursor)
    expect(response.status).toBe(200)
    const { result } = await response.json<{ result: Page }>()
    return result
  }

  async function allPages(): Promise<Page[]> {
    const pages = [await page()]
    for (let cursor = pages[0]?.nextCursor; cursor; cursor = pages.at(-1)?.nextCursor) {
      pages.push(await page(cursor))
    }
    return pages
  }

  const namesOf = (pages: readonly Page[]) =>
    pages.flatMap(({ tools }) => tools.map(({ name }) => name)).filter((name) => /__/.test(name))

  // req: list-every-page
  it('has every page of every upstream, in the same order each time', async () => {
    const pages = await allPages()
    expect(pages.length).toBeGreaterThan(1)
    expect(namesOf(pages)).toEqual([...TOOLS.map((name) => `big__${name}`), 'small__tool-0'])
    expect(namesOf(await allPages())).toEqual(namesOf(pages))
  })

  // req: cursor-empty-valid
  it('begins again under the empty cursor', async () => {
    expect((await page('')).tools).toEqual((await page()).tools)
  })

  // req: cursor-sealed
  it('goes on where it was under the same cursor, which says nothing, also elsewhere', async () => {
    const { nextCursor = '' } = await page()
    const seen = [...nextCursor.split('.'), nextCursor].map((part) => {
      return Buffer.from(part, 'base64url').toString('latin1')
    })
    expect(seen.join()).not.toMatch(/big|small|tool|server|after/)
    const isolate = createTestGateway({ tenant: gateway.tenant, seams: { fetcher } })
    const there = await isolate.fetch('/mcp', modern(token, 'tools/list', { cursor: nextCursor }))
    const { result } = await there.json<{ result: Page }>()
    expect(result.tools).toEqual((await page(nextCursor)).tools)
  })

  /** What stands at the end, where a list has been read to. */
  const sealed = async () => (await page()).nextCursor ?? ''

  // req: cursor-bad-32602
  // req: cursor-sealed
  it.each<[string, () => Promise<Response>]>([
    ['made up', () => ask('made-up')],
    ['a number', () => ask(7)],
    ['an object', () => ask({ server: 'big', after: 1 })],
    ['null', () => ask(null)],
    ['very long', () => ask('x'.repeat(100_000))],
    ['one of an upstream', () => ask('700')],
    [
      'tampered with',
      async () => ask((await sealed()).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))),
    ],
    ['cut', async () => ask((await sealed()).slice(0, -4))],
    [
      "another principal's",
      async () => ask(await sealed(), await gateway.token({ subject: 'ann', ttlSeconds: 864_000 })),
    ],
    ['that of another list', async () => ask(await sealed(), token, 'prompts/list')],
    [
      'that of another endpoint',
      async () => ask(await sealed(), token, 'tools/list', '/mcpgw/mcp'),
    ],
    [
      'expired',
      async () => {
        const cursor = await sealed()
        now += 25 * 3_600_000
        return ask(cursor)
      },
    ],
  ])('refuses a cursor that is %s: -32602', async (_what, send) => {
    const response = await send()
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -32602 } })
  })
})

async function fetcher(request: Request): Promise<Response> {
  const isBig = request.url.includes('big.')
  const { id, method, params } = JSON.parse((await request.text()) || '{}')
  if (!request.headers.has('mcp-method')) return new Response(null, { status: 400 })
  const base = { resultType: 'complete', ttlMs: 0, cacheScope: 'public' }
  const reply = (result: object) => Response.json({ jsonrpc: '2.0', id, result })
  if (method === 'server/discover') {
    const capabilities = { tools: {} }
    return reply({ ...base, supportedVersions: ['2026-07-28'], capabilities })
  }
  const all = isBig ? TOOLS : TOOLS.slice(0, 1)
  const from = Number(params?.cursor ?? 0)
  const to = from + UPSTREAM_PAGE
  const tools = all.slice(from, to).map((name) => ({ name, inputSchema: { type: 'object' } }))
  return reply({ ...base, tools, ...(to < all.length ? { nextCursor: String(to) } : {}) })
}
