import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { AsyncLocalStorage } from 'node:async_hooks'
import { exportJWK, generateKeyPair } from 'jose'
import { createApp } from '../../src/app.ts'
import { TenantId } from '../../src/core/index.ts'
import { createDeps, type Seams } from '../../src/deps.ts'
import { type Bindings, type EnvVars, parseConfig } from '../../src/env.ts'
import { SigningKeyJwk, signToken } from '../../src/identity/index.ts'

export const PUBLIC_URL = 'http://gatehouse.test'
const HOUR_SECONDS = 3_600

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const SIGNING_KEY = SigningKeyJwk.parse(await exportJWK(privateKey))

/**
 * The platform closes what a request still waits for once its caller has left and nothing is to be done
 * behind its answer. Here all requests are within that of the test, so we do; aborted then.
 */
const requests = new AsyncLocalStorage<AbortSignal>()

/** What the gateway did since the last `reset`. */
export interface Work {
  fetches: number
  d1: number
  objects: number
  /** Of these, how often an object was told which calls have been open for a while. */
  told: number
}

/** The whole Worker in this isolate, over the real D1 and Durable Objects, with work counted. */
export interface TestGateway {
  readonly tenant: TenantId
  readonly work: Work
  readonly events: Record<string, unknown>[]
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Like `fetch`, and gives what was still to be done behind the response. */
  fetchWith(
    path: string,
    init?: RequestInit,
  ): Promise<{ response: Response; settle(): Promise<void> }>
  token(claims?: {
    subject?: string
    groups?: string[]
    scopes?: string[]
    audience?: string
    ttlSeconds?: number
  }): Promise<string>
}

/** Each gets a tenant of its own. `vars` overrides the configuration. */
export function createTestGateway(
  options: {
    vars?: EnvVars
    seams?: Seams
    bindings?: Partial<Bindings>
    /** Another isolate of the same deployment, for the same tenant. */
    tenant?: TenantId
  } = {},
): TestGateway {
  const tenant = options.tenant ?? TenantId.parse(`t-${crypto.randomUUID()}`)
  const work: Work = { fetches: 0, d1: 0, objects: 0, told: 0 }
  const events: Record<string, unknown>[] = []
  const parsed = parseConfig({
    PUBLIC_URL,
    GATEHOUSE_SECRET: 'flows-flows-flows-flows-flows-flows-flows-flows',
    GATEHOUSE_SIGNING_KEY: JSON.stringify(SIGNING_KEY),
    PRIVATE_UPSTREAMS: '127.0.0.1',
    BOOTSTRAP_ADMIN: JSON.stringify({ issuer: PUBLIC_URL, subject: 'root', breakGlass: true }),
    ...options.vars,
  })
  if (parsed.kind === 'problems') throw new Error(JSON.stringify(parsed.problems))
  const fetcher = options.seams?.fetcher ?? ((request: Request) => fetch(request))
  const deps = createDeps({ ...countedBindings(work), ...options.bindings }, parsed.config, {
    ...options.seams,
    fetcher: (request) => {
      work.fetches += 1
      const over = requests.getStore()
      if (!over) return fetcher(request)
      return fetcher(new Request(request, { signal: AbortSignal.any([request.signal, over]) }))
    },
    writeLine: (line) => events.push(JSON.parse(line)),
  })
  const app = createApp(deps)

  async function fetchWith(path: string, init: RequestInit = {}) {
    const ctx = createExecutionContext()
    const request = new Request(new URL(path, PUBLIC_URL), init)
    const over = new AbortController()
    const serving = requests.run(over.signal, () => app.fetch(request, ctx))
    const settle = () => waitOnExecutionContext(ctx)
    request.signal.addEventListener('abort', async () => {
      await serving
      await settle()
      over.abort()
    })
    return { response: await serving, settle }
  }
  return {
    tenant,
    work,
    events,
    fetchWith,
    fetch: async (path, init) => (await fetchWith(path, init)).response,
    token: ({ subject = 'root', groups = [], scopes = [], audience, ttlSeconds } = {}) =>
      signToken(
        { issuer: PUBLIC_URL, signingKeyJwk: SIGNING_KEY },
        {
          subject,
          groups,
          scopes,
          tenant,
          audience: audience ?? PUBLIC_URL,
          kind: 'user',
          ttlSeconds: ttlSeconds ?? HOUR_SECONDS,
          now: (options.seams?.clock ?? Date).now(),
          jti: crypto.randomUUID(),
        },
      ),
  }
}

function countedBindings(work: Work): Bindings {
  const objects = <T extends object>(namespace: { getByName(name: string): T }) => ({
    getByName: (name: string): T =>
      counted(namespace.getByName(name), (member) => {
        work.objects += 1
        if (member === 'noteCalls') work.told += 1
      }),
  })
  return {
    DB: new Proxy(env.DB, {
      get(target, member) {
        const value = Reflect.get(target, member)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          work.d1 += 1
          return value.apply(target, args)
        }
      },
    }),
    SESSIONS: objects(env.SESSIONS),
    LIMITERS: objects(env.LIMITERS),
    BREAKERS: objects(env.BREAKERS),
    PROBES: objects(env.PROBES),
    CATALOGS: objects(env.CATALOGS),
    BRIDGES: objects(env.BRIDGES),
    WATCHES: objects(env.WATCHES),
    EVENTS: objects(env.EVENTS),
    LINKS: objects(env.LINKS),
  } as unknown as Bindings
}

/** A stub whose every RPC call is counted. */
function counted<T extends object>(stub: T, count: (member: string | symbol) => void): T {
  return new Proxy(stub, {
    get(target, member) {
      const value = Reflect.get(target, member)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        count(member)
        return Reflect.apply(value, target, args)
      }
    },
  })
}

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'flow', version: '1' },
}

/** A modern request, as an SDK would send it. */
export function modern(
  token: string,
  method: string,
  params: Record<string, unknown> = {},
  headers: Record<string, string> = {},
  id: unknown = 1,
): RequestInit {
  const { _meta, ...rest } = params as { _meta?: object }
  const name = 'name' in rest ? rest.name : 'uri' in rest ? rest.uri : undefined
  return {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': String(name) }),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id,
      method,
      params: { ...rest, _meta: { ...ENVELOPE, ..._meta } },
    }),
  }
}

/** Instead of an id: the message is a notification. */
export const NOTIFICATION = Symbol('notification')

/** A legacy message. */
export function legacy(
  token: string,
  method: string,
  params: Record<string, unknown> = {},
  headers: Record<string, string> = {},
  id: unknown = 1,
): RequestInit {
  return {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      ...(id === NOTIFICATION ? {} : { id }),
      method,
      params,
    }),
  }
}

/** `initialize` of a legacy client. */
export const hello = (version = '2025-11-25') => ({
  protocolVersion: version,
  capabilities: { elicitation: {} },
  clientInfo: { name: 'flow', version: '1' },
})

/** A management request with a JSON body. */
export function rest(token: string, method: string, body?: unknown): RequestInit {
  return {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }
}
