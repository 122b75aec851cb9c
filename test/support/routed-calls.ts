import { createTestGateway, modern, rest, type TestGateway } from './gateway.ts'
import { type ManyServers, manyServers, setProbed } from './many-servers.ts'
import { type StoppedClock, stoppedClock } from './stopped-clock.ts'

export const WISH = 'dev.gatehouse/route'
export const NOTE = 'dev.gatehouse/routing'

export const search = { name: 'search', description: 'Finds.', inputSchema: { type: 'object' } }
const other = { ...search, inputSchema: { type: 'object', properties: { q: {} } } }

const POLICY = {
  group_mappings: { searchers: ['searchers'] },
  searchers: ['first', 'fast', 'sick', 'changed'].map((server) => ({
    server,
    methods: ['*'],
    tools: ['search', 'lonely'],
  })),
}

const LATENCY_MS: Readonly<Record<string, number>> = { first: 180, fast: 20, sick: 1, denied: 1 }

export interface Answer {
  readonly result?: {
    readonly content: readonly { readonly text: string }[]
    readonly _meta: Record<string, { server: string; candidates: { server: string }[] }>
  }
  readonly error?: { readonly code: number; readonly message: string }
}

/** Servers that have the same tool, and a searcher who may use all of them but `denied`. */
export interface RoutedCalls {
  readonly servers: ManyServers
  readonly clock: StoppedClock
  readonly gateway: TestGateway
  readonly admin: string
  readonly token: string
  /** Calls `search` with this wish, if any. */
  call(wish?: unknown, name?: string, as?: string, path?: string): Promise<Response>
  /** Before each test. */
  reset(): void
}

export const answerOf = async (response: Promise<Response>): Promise<Answer> =>
  JSON.parse(await (await response).text())

/** @see RoutedCalls */
export async function routedCalls(): Promise<RoutedCalls> {
  const servers = manyServers({
    first: [search],
    fast: [{ ...search, description: 'Finds as well.' }],
    sick: [search],
    denied: [search],
    changed: [other, { ...search, name: 'lonely' }],
  })
  const clock = stoppedClock()
  /** A call takes as long as the last probe did: what an isolate measured counts more than that. */
  const fetcher = async (request: Request): Promise<Response> => {
    const response = await servers.fetcher(request)
    const name = new URL(request.url).hostname.split('.')[0] ?? ''
    if (request.headers.get('mcp-method') === 'tools/call') clock.advance(LATENCY_MS[name] ?? 0)
    return response
  }
  const gateway = createTestGateway({
    seams: { fetcher, clock },
    vars: { BREAKER_FAILURE_THRESHOLD: '2' },
  })
  const admin = await gateway.token()
  const token = await gateway.token({ subject: 'sue', groups: ['searchers'] })
  await gateway.fetch('/api/v1/policy', rest(admin, 'PUT', POLICY))
  await servers.register(gateway, admin, { fast: { tags: ['quick'] } }, () => clock.advance(1))
  for (const [server, latencyMs] of Object.entries(LATENCY_MS)) {
    const health = server === 'sick' ? 'unhealthy' : 'healthy'
    await setProbed(gateway.tenant, server, { health, latencyMs })
  }
  return {
    servers,
    clock,
    gateway,
    admin,
    token,
    call: (wish, name = 'search', as = token, path = '/mcp') => {
      const _meta = wish === undefined ? {} : { [WISH]: wish }
      return gateway.fetch(path, modern(as, 'tools/call', { name, arguments: { n: 1 }, _meta }))
    },
    reset() {
      servers.calls()
      gateway.events.length = 0
    },
  }
}
