import { env } from 'cloudflare:workers'
import {
  type CallContext,
  createSealer,
  GatewayError,
  type Principal,
  parsePrivateHosts,
  principalKey,
  systemRandom,
  TenantId,
  toGatewayError,
} from '../../src/core/index.ts'
import { problemResponse } from '../../src/http/index.ts'
import type { GatewayEvent } from '../../src/observability/index.ts'
import type { Actor } from '../../src/policy/index.ts'
import { parsePolicySeed, rightsOf } from '../../src/policy/index.ts'
import {
  createRegistry,
  type DiscoverUpstream,
  type Discovery,
  registryRoutes,
} from '../../src/registry/index.ts'

const ISSUER = 'https://idp.example'

/** Groups `admins`, `owners` and `readers` have the built-in roles; `strangers` have nothing. */
export const SEED = {
  group_mappings: { admins: ['admin'], owners: ['server_owner'], readers: ['user'] },
}

/** What a harmless upstream offers. */
export const DISCOVERY: Discovery = {
  transport: 'streamable-http',
  facts: {
    eras: 'legacy',
    protocolVersions: ['2025-11-25'],
    sessionful: true,
    serverInfo: { name: 'sample', version: '1' },
  },
  tools: [
    { name: 'now', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
    {
      name: 'convert',
      inputSchema: {
        type: 'object',
        properties: { zone: { type: 'string', 'x-mcp-header': 'Zone' } },
      },
    },
  ],
  resources: [{ uri: 'file:///a', name: 'a' }],
  resourceTemplates: [{ uriTemplate: 'file:///{x}', name: 'x' }],
  prompts: [],
}

export const VALID = {
  path: 'clock',
  name: 'Clock',
  endpoints: [{ url: 'https://clock.example/mcp' }],
}

/** What was asked of an upstream. */
type Asked = Parameters<DiscoverUpstream>[1] & Pick<Parameters<DiscoverUpstream>[2], 'transports'>

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

/** A registry of one tenant behind its routes, over the real D1 unless another is given. */
export function createGateway(
  tenantName: string,
  options: { readonly d1?: D1Database; readonly secret?: string } = {},
) {
  const tenant = TenantId.parse(tenantName)
  const events: GatewayEvent[] = []
  const asked: Asked[] = []
  const behind: Promise<unknown>[] = []
  const state = {
    now: Date.UTC(2026, 10, 1),
    /** What an upstream answers; throws for one that is down. */
    discover: (_url: string): Discovery => DISCOVERY,
  }
  const clock = { now: () => state.now }
  const discover: DiscoverUpstream = async (_ctx, upstream, { transports }) => {
    asked.push({ ...upstream, transports })
    return state.discover(upstream.url)
  }
  const registry = createRegistry({
    d1: options.d1 ?? env.DB,
    breakerPhase: async () => 'closed',
    sealer: createSealer([options.secret ?? 'a secret of the test that is long enough'], {
      clock,
      random: systemRandom,
    }),
    discover,
    privateHosts: parsePrivateHosts('127.0.0.1'),
    events: { emit: (event) => events.push(event) },
    resilience: { breakerOpenMs: 30_000, endpointConcurrent: 0 },
    limiter: (name) => env.LIMITERS.getByName(name),
    freshness: { freshMs: 3000, staleMs: 5000, policyMaxStaleMs: 60_000 },
  })
  const ctx: CallContext = {
    requestId: 'request-1',
    clock,
    random: systemRandom,
    caller: new AbortController(),
    facts: {},
    waitUntil: (work) => behind.push(work),
    holdEvent: () => () => undefined,
  }

  async function actorOf(group: string, of = tenant, scopes: string[] = []): Promise<Actor> {
    const principal = await principalOf(of, group, scopes)
    return { principal, rights: rightsOf(principal, parsePolicySeed(SEED), { bootstrap: false }) }
  }

  let caller = 'admins'
  let callerTenant = tenant
  const app = registryRoutes({
    verbs: registry.verbs,
    context: () => ctx,
    actor: () => actorOf(caller, callerTenant),
  })
  app.onError((thrown) => problemResponse(toGatewayError(thrown), ctx.requestId))

  /** One request as a member of `group`; `body` is sent as JSON unless it is text. */
  async function send(
    group: string,
    method: string,
    path: string,
    body?: unknown,
    extra: { readonly contentType?: string; readonly tenant?: string } = {},
  ): Promise<Answer> {
    caller = group
    callerTenant = TenantId.parse(extra.tenant ?? tenantName)
    const response = await app.request(path, {
      method,
      ...(body !== undefined && {
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': extra.contentType ?? 'application/json' },
      }),
    })
    const text = await response.text()
    return {
      status: response.status,
      body: text === '' ? {} : JSON.parse(text),
      headers: response.headers,
    }
  }

  /** Registers the server `clock`, or another one. */
  const register = (input: object = {}, query = '') =>
    send('admins', 'POST', `/servers${query}`, { ...VALID, ...input })

  return { tenant, registry, app, ctx, state, events, asked, behind, send, register, actorOf }
}

let fresh = 0

/** A gateway of a tenant that no other test has, where `suite` is the name of one file alone. */
export function freshGateway(suite: string) {
  fresh += 1
  return createGateway(`${suite}-${fresh}`)
}

export type TestGateway = ReturnType<typeof createGateway>

export async function principalOf(
  tenant: TenantId,
  group: string,
  scopes: readonly string[] = [],
): Promise<Principal> {
  return {
    issuer: ISSUER,
    subject: `one of ${group}`,
    kind: 'user',
    tenant,
    groups: [group],
    scopes,
    expiresAt: Date.UTC(2030, 0, 1),
    key: await principalKey(ISSUER, `one of ${group}`),
    claims: {},
  }
}

/** An upstream that is down. */
export function isDown(): never {
  throw new GatewayError('upstream_unreachable', 'The connection was refused.')
}

/** Rows of one tenant's change log, oldest first. */
export async function changesOf(tenant: string): Promise<Record<string, unknown>[]> {
  const { results } = await env.DB.prepare(
    'select action, target, actor, request_id, summary from change_log where tenant = ? order by id',
  )
    .bind(tenant)
    .all()
  return results
}

export async function generationOf(tenant: string): Promise<number> {
  const row = await env.DB.prepare('select generation from tenants where id = ?')
    .bind(tenant)
    .first<{ generation: number }>()
  return row?.generation ?? 0
}
