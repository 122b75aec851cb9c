import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { createFakeUpstream, type FakeUpstream } from './fake-upstream.ts'
import { rest, type TestGateway } from './gateway.ts'

/** Upstreams in the test's isolate, by the first label of their host: `https://{name}.example/`. */
export interface ManyServers {
  readonly fetcher: (request: Request) => Promise<Response>
  readonly upstreams: Readonly<Record<string, FakeUpstream>>
  /** These answer every call with 503 from now on. */
  readonly failing: Set<string>
  /** Registers them in this order; `between` moves the clock where it stands still. */
  register(
    gateway: TestGateway,
    token: string,
    extra?: Record<string, object>,
    between?: () => void,
  ): Promise<void>
  /** `tools/call` and `resources/read` that reached each upstream since the last time, by name. */
  calls(): Record<string, number>
}

/** What the last health checks would have found. */
export async function setProbed(
  tenant: string,
  path: string,
  { health, latencyMs }: { health?: string; latencyMs?: number },
): Promise<void> {
  const of = env.DB.prepare('select id from servers where tenant = ? and path = ?')
  const server = await of.bind(tenant, path).first<{ id: string }>()
  const set = (table: string, column: string, key: string, value: unknown) =>
    env.DB.prepare(`update ${table} set ${column} = ? where ${key} = ?`).bind(value, server?.id)
  await env.DB.batch([
    ...(health === undefined ? [] : [set('servers', 'health', 'id', health)]),
    ...(latencyMs === undefined
      ? []
      : [set('endpoints', 'last_latency_ms', 'server_id', latencyMs)]),
  ])
}

/** @see ManyServers */
export function manyServers(tools: Readonly<Record<string, readonly object[]>>): ManyServers {
  const failing = new Set<string>()
  const upstreams = Object.fromEntries(
    Object.entries(tools).map(([name, offered]) => [
      name,
      createFakeUpstream(offered.map((tool) => JSON.stringify(tool))),
    ]),
  )
  const nameOf = (url: string) => new URL(url).hostname.split('.')[0] ?? ''
  return {
    upstreams,
    failing,
    async fetcher(request) {
      const name = nameOf(request.url)
      const body = await request.clone().text()
      const response = await upstreams[name]?.fetcher(request)
      const isCall = /"tools\/call"|"resources\/read"/.test(body)
      if (!response || (isCall && failing.has(name))) return new Response('down', { status: 503 })
      return response
    },
    async register(gateway, token, extra = {}, between = () => undefined) {
      for (const path of Object.keys(tools)) {
        const endpoints = [{ url: `https://${path}.example/mcp` }]
        const body = { path, name: path, endpoints, ...extra[path] }
        const made = await gateway.fetch('/api/v1/servers', rest(token, 'POST', body))
        expect([made.status, await made.text()]).toEqual([201, expect.any(String)])
        between()
      }
    },
    calls() {
      const counts: Record<string, number> = {}
      for (const [name, { seen }] of Object.entries(upstreams)) {
        const calls = seen.filter(({ body }) => /"tools\/call"|"resources\/read"/.test(body))
        if (calls.length > 0) counts[name] = calls.length
        seen.length = 0
      }
      return counts
    },
  }
}
