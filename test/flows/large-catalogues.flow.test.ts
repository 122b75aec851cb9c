import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'

/** Just below the bound of one definition, and together of one server: 8 MiB. */
const DEFINITION_CHARS = 250_000
const TOOLS = 30
const SERVERS = ['large-a', 'large-b', 'large-c']
const PAGE_BYTES = 2 * 1024 * 1024

interface Page {
  readonly tools: { readonly name: string }[]
  readonly nextCursor?: string
}

describe('large catalogues of several servers', () => {
  const { d1, read } = weighing(env.DB)
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({
      seams: { fetcher },
      bindings: { DB: d1 },
    })
    token = await gateway.token()
    for (const path of SERVERS) {
      const server = { path, name: path, endpoints: [{ url: `https://${path}.example/mcp` }] }
      const created = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
      expect(created.status).toBe(201)
      await created.body?.cancel()
    }
  })

  // req: list-every-page
  it('are listed whole over pages, and no read of D1 brings more than a page', async () => {
    const names: string[] = []
    let cursor: string | undefined
    read.most = 0
    do {
      const params = cursor === undefined ? {} : { cursor }
      const response = await gateway.fetch('/mcp', modern(token, 'tools/list', params))
      expect(response.status).toBe(200)
      const { result } = await response.json<{ result: Page }>()
      names.push(...result.tools.map(({ name }) => name))
      cursor = result.nextCursor
    } while (cursor !== undefined)
    const all = SERVERS.flatMap((path) =>
      Array.from({ length: TOOLS }, (_, at) => `${path}__tool-${at}`),
    )
    expect(names.filter((name) => name.includes('__'))).toEqual(all)
    expect(read.most).toBeGreaterThan(DEFINITION_CHARS)
    expect(read.most).toBeLessThan(1.1 * PAGE_BYTES)
  })
})

/** D1 that weighs what each of its answers brings. */
function weighing(db: D1Database) {
  const read = { most: 0 }
  const bare = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const weigh = <T>(answer: T): T => {
    read.most = Math.max(read.most, JSON.stringify(answer).length)
    return answer
  }
  const weighed = (statement: D1PreparedStatement): D1PreparedStatement => {
    const proxy = new Proxy(statement, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...input: unknown[]) => {
          const answer = member.apply(target, input)
          return name === 'bind' ? weighed(answer) : Promise.resolve(answer).then(weigh)
        }
      },
    })
    bare.set(proxy, statement)
    return proxy
  }
  const d1 = new Proxy(db, {
    get(target, name) {
      if (name === 'prepare') return (sql: string) => weighed(target.prepare(sql))
      if (name === 'batch') {
        return async (statements: D1PreparedStatement[]) =>
          weigh(await target.batch(statements.map((one) => bare.get(one) ?? one)))
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { d1, read }
}

async function fetcher(request: Request): Promise<Response> {
  const { id, method } = JSON.parse((await request.text()) || '{}')
  if (!request.headers.has('mcp-method')) return new Response(null, { status: 400 })
  const base = { resultType: 'complete', ttlMs: 0, cacheScope: 'public' }
  const reply = (result: object) => Response.json({ jsonrpc: '2.0', id, result })
  if (method === 'server/discover') {
    const capabilities = { tools: {} }
    return reply({ ...base, supportedVersions: ['2026-07-28'], capabilities })
  }
  const description = 'd'.repeat(DEFINITION_CHARS)
  const tools = Array.from({ length: TOOLS }, (_, at) => ({
    name: `tool-${at}`,
    description,
    inputSchema: { type: 'object' },
  }))
  return reply({ ...base, tools })
}
