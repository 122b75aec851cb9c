import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { inject } from 'vitest'
import { startWorkerd, type WorkerdHandle } from '../../scripts/workerd.ts'
import { type Idp, type IdpClient, startIdp } from './idp.ts'
import { freePort } from './processes.ts'

/** The built bundle on a bare workerd, with an identity provider that it trusts. */
export interface Stack {
  readonly gateway: WorkerdHandle
  readonly idp: Idp
  /** Of `admin-service`, fresh. */
  adminToken(): Promise<string>
  /** A management request by the administrator; the path is relative to /api/v1. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>
  /** Registers a server; throws unless the answer is 201. */
  register(path: string, url: string, more?: Readonly<Record<string, unknown>>): Promise<void>
  /** URL of a server's endpoint, on one of the isolates. */
  mcp(path: string, isolate?: number): string
  /** Event lines of the gateway so far. */
  events(): Record<string, unknown>[]
  stop(): Promise<void>
}

export interface ApiAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** What the groups of the provider's clients may do; every client has the group of its own name. */
export const POLICY = {
  group_mappings: {
    admins: ['admin'],
    users: ['everything-some', 'modern-some', 'clock-all'],
    strangers: ['clock-all'],
  },
  'everything-some': [
    {
      server: 'everything',
      // The Inspector sets the log level of every server that has logging, and gives up without.
      methods: ['tools/list', 'tools/call', 'logging/setLevel'],
      tools: ['echo', 'get-sum'],
    },
  ],
  'modern-some': [{ server: 'modern', methods: ['tools/list', 'tools/call'], tools: ['echo'] }],
  'clock-all': [{ server: 'clock', methods: ['*'], tools: ['*'] }],
}

/** Clients of the provider, by Keycloak's habit with the full path of their groups. */
export const CLIENTS = {
  'admin-service': { groups: ['/admins'] },
  'user-service': { groups: ['/users'] },
  'stranger-service': { groups: ['/strangers'] },
  'late-service': { groups: ['/users'], ttlSeconds: -60 },
} as const satisfies Record<string, IdpClient>

/**
 * Starts provider and gateway with fresh state, and puts `POLICY` in force. The first
 * administrator is `BOOTSTRAP_ADMIN`, until the policy maps a group to the role.
 */
export async function startStack(
  options: {
    readonly isolates?: number
    readonly vars?: Readonly<Record<string, string>>
    readonly clients?: Readonly<Record<string, IdpClient>>
  } = {},
): Promise<Stack> {
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}`
  const idp = await startIdp({
    audience: publicUrl,
    clients: { ...CLIENTS, ...options.clients },
  })
  const stateDir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'))
  const gateway = await startWorkerd({
    bundleDir: inject('bundleDir'),
    stateDir,
    port,
    isolates: options.isolates ?? 1,
    vars: { ...(await configuration(idp.issuer)), ...options.vars },
  })

  const stack: Stack = {
    gateway,
    idp,
    adminToken: () => idp.token('admin-service'),
    async api(method, path, body) {
      const response = await fetch(`${gateway.url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await stack.adminToken()}`,
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: await jsonOf(response) }
    },
    async register(path, url, more = {}) {
      const input = { path, name: path, endpoints: [{ url }], ...more }
      const { status, body } = await stack.api('POST', '/servers', input)
      if (status !== 201) throw new Error(`registering ${path}: ${status} ${JSON.stringify(body)}`)
    },
    mcp: (path, isolate = 0) => `${gateway.urls[isolate]}/${path}/mcp`,
    events: () => eventLines(gateway.output()),
    async stop() {
      await gateway.stop()
      await idp.stop()
      await rm(stateDir, { recursive: true })
    },
  }
  const { status, body } = await stack.api('PUT', '/policy', POLICY)
  if (status === 200) return stack
  await stack.stop()
  throw new Error(`putting the policy: ${status} ${JSON.stringify(body)}\n${gateway.output()}`)
}

async function configuration(issuer: string): Promise<Record<string, string>> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return {
    GATEHOUSE_SECRET: randomBytes(32).toString('base64url'),
    GATEHOUSE_SIGNING_KEY: JSON.stringify(await exportJWK(privateKey)),
    TRUSTED_ISSUERS: JSON.stringify([{ preset: 'keycloak', issuer }]),
    BOOTSTRAP_ADMIN: JSON.stringify({ issuer, subject: 'admin-service' }),
    PRIVATE_UPSTREAMS: '127.0.0.1',
  }
}

/** A POST of one JSON-RPC message, as any client would send it. */
export function post(
  url: string,
  token: string,
  message: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
}

/** A request of the modern era; `Mcp-Name` follows from `params.name`. */
export function postModern(
  url: string,
  token: string,
  message: { readonly id: unknown; readonly method: string; readonly params: object },
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { id, method, params } = message
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'e2e', version: '1' },
  }
  return post(
    url,
    token,
    { id, method, params: { ...params, _meta } },
    {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...('name' in params ? { 'mcp-name': String(params.name) } : {}),
      ...headers,
    },
  )
}

/** A `tools/call` of the modern era. */
export function callModern(
  url: string,
  token: string,
  name: string,
  args: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const params = { name, arguments: args }
  return postModern(url, token, { id: 1, method: 'tools/call', params }, headers)
}

/** Opens a legacy session and gives the means to send requests in it. */
export async function openLegacy(
  url: string,
  token: string,
): Promise<(message: object, headers?: Readonly<Record<string, string>>) => Promise<Response>> {
  const opened = await post(url, token, {
    id: 0,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'e2e', version: '1' },
    },
  })
  await opened.text()
  const session = {
    'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    'mcp-protocol-version': '2025-11-25',
  }
  const told = await post(url, token, { method: 'notifications/initialized' }, session)
  await told.text()
  if (told.status !== 202) throw new Error(`no session: ${opened.status}, ${told.status}`)
  return (message, headers = {}) => post(url, token, message, { ...session, ...headers })
}

/** Asks until the answer passes, a few times a second; gives the last answer at the deadline. */
export async function eventually<T>(
  ask: () => Promise<T>,
  passes: (answer: T) => boolean,
  deadlineMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (passes(answer) || Date.now() >= deadline) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The one message of an answer, whether it came as JSON or as a stream. */
export async function messageOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text()
  const data = text.split('\n').filter((line) => line.startsWith('data: {'))
  return asRecord(JSON.parse(data.at(-1)?.slice('data: '.length) ?? text))
}

async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text()
  return text === '' ? {} : asRecord(JSON.parse(text))
}

function eventLines(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => asRecord(JSON.parse(line)))
}

/** The gateway answers, and prints, objects. */
function asRecord(value: unknown): Record<string, unknown> {
  return value as Record<string, unknown>
}
