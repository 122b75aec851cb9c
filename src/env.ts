import { z } from 'zod'
import { type PrivateHosts, parsePrivateHosts } from './core/index.ts'
import {
  integer,
  listOf,
  optional,
  parseHeaderName,
  parseHost,
  parseOrigin,
  parseSecret,
  parseWebUrl,
} from './env-values.ts'
import { IssuerConfig, SigningKeyJwk } from './identity/index.ts'
import type { ProbeStub } from './jobs/index.ts'
import type { LimiterStub, RateLimitBinding } from './limits/index.ts'
import type {
  BridgeStub,
  CatalogStub,
  EventsStub,
  LinkStub,
  SessionStub,
  WatchStub,
} from './mcp/index.ts'
import { BootstrapAdmin } from './policy/index.ts'
import type { BreakerStub, LoadStub } from './resilience/index.ts'

/** Text variables and secrets, as wrangler gives them. `.dev.vars.example` explains each. */
export interface EnvVars {
  readonly PUBLIC_URL?: string
  readonly ALLOWED_HOSTS?: string
  readonly ALLOWED_ORIGINS?: string
  readonly TRUSTED_ISSUERS?: string
  readonly ADVERTISED_SCOPES?: string
  readonly BOOTSTRAP_ADMIN?: string
  readonly PRIVATE_UPSTREAMS?: string
  readonly RESOLVER_URL?: string
  readonly MAX_BODY_BYTES?: string
  readonly BODY_TIMEOUT_MS?: string
  readonly STREAM_STALL_MS?: string
  readonly STREAM_MESSAGE_MS?: string
  readonly STREAM_MAX_MS?: string
  readonly MAX_STREAMS_PER_PRINCIPAL?: string
  readonly MAX_STREAMS_PER_TENANT?: string
  readonly MAX_CALLS_PER_PRINCIPAL?: string
  readonly LIMIT_PRINCIPAL_PER_MINUTE?: string
  readonly LIMIT_TENANT_PER_MINUTE?: string
  readonly LIMIT_ADDRESS_PER_MINUTE?: string
  readonly CLIENT_ADDRESS_HEADER?: string
  readonly BREAKER_FAILURE_THRESHOLD?: string
  readonly BREAKER_FAILURE_PERCENT?: string
  readonly BREAKER_OPEN_MS?: string
  readonly BREAKER_MAX_OPEN_MS?: string
  readonly BULKHEAD_TENANT_CONCURRENT?: string
  readonly BULKHEAD_ENDPOINT_CONCURRENT?: string
  readonly POLICY_MAX_STALE_MS?: string
  readonly GATEHOUSE_SECRET?: string
  readonly GATEHOUSE_SECRET_PREVIOUS?: string
  readonly GATEHOUSE_SIGNING_KEY?: string
}

/** One object per name, reached by native RPC. */
export interface Namespace<Stub> {
  getByName(name: string): Stub
}

/** What wrangler.toml binds. */
export interface Bindings {
  readonly DB: D1Database
  readonly SESSIONS: Namespace<SessionStub>
  readonly LIMITERS: Namespace<LimiterStub>
  readonly BREAKERS: Namespace<BreakerStub & LoadStub>
  readonly PROBES: Namespace<ProbeStub>
  readonly CATALOGS: Namespace<CatalogStub>
  readonly BRIDGES: Namespace<BridgeStub>
  readonly WATCHES: Namespace<WatchStub>
  readonly EVENTS: Namespace<EventsStub>
  readonly LINKS: Namespace<LinkStub>
  /** The platform's limiter of addresses, in production. */
  readonly ADDRESS_LIMITER?: RateLimitBinding
}

export type Env = EnvVars & Bindings

/** The configuration, parsed once per isolate (DESIGN.md, Decision 9). */
export interface Config {
  /** The gateway's origin, without a slash at the end. */
  readonly publicUrl: string
  readonly allowedHosts: ReadonlySet<string>
  readonly allowedOrigins: ReadonlySet<string>
  readonly issuers: readonly IssuerConfig[]
  readonly advertisedScopes: readonly string[]
  readonly bootstrapAdmin: BootstrapAdmin | undefined
  readonly privateHosts: PrivateHosts
  /** Of a DNS-over-HTTPS resolver. */
  readonly resolverUrl: string | undefined
  readonly maxBodyBytes: number
  readonly bodyTimeoutMs: number
  readonly streamStallMs: number
  readonly streamMessageMs: number
  readonly streamMaxMs: number
  readonly maxStreamsPerPrincipal: number
  readonly maxStreamsPerTenant: number
  readonly maxCallsPerPrincipal: number
  readonly principalPerMinute: number
  readonly tenantPerMinute: number
  /** 0 for no limit. */
  readonly addressPerMinute: number
  /** Lower case; undefined where no header may be trusted to say who calls. */
  readonly addressHeader: string | undefined
  readonly breakerFailureThreshold: number
  readonly breakerFailurePercent: number
  readonly breakerOpenMs: number
  readonly breakerMaxOpenMs: number
  /** Calls of one tenant in one isolate. */
  readonly tenantConcurrent: number
  /** Calls at one endpoint; 0 where only servers have such a bound that name it. */
  readonly endpointConcurrent: number
  readonly policyMaxStaleMs: number
  /** First seals, all open. */
  readonly secrets: readonly string[]
  readonly signingKey: SigningKeyJwk | undefined
}

/** One thing wrong with the configuration, and how to mend it. */
export interface ConfigProblem {
  readonly variable: string
  readonly message: string
  readonly fix: string
}

export type ConfigResult =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'problems'; readonly problems: readonly ConfigProblem[] }

const SECRET_FIX =
  'Make one with: node -e "console.log(crypto.randomBytes(32).toString(\'base64url\'))"'

/** Parses every variable and names every problem at once; never shows a secret's value. */
export function parseConfig(env: EnvVars): ConfigResult {
  const problems: ConfigProblem[] = []
  const read = createReader(env, problems)

  const publicUrl = read('PUBLIC_URL', '', parseOrigin, 'Set it to the URL that clients use.')
  const host = publicUrl === undefined ? '' : new URL(publicUrl).host
  const allowedHosts = read(
    'ALLOWED_HOSTS',
    '',
    (text) => new Set([host, ...listOf(text).map(parseHost)]),
    'List hosts such as gate.example.com or 10.0.0.1:8787, separated by commas.',
  )
  const config = {
    publicUrl,
    allowedHosts,
    allowedOrigins: read(
      'ALLOWED_ORIGINS',
      '',
      (text) => new Set([publicUrl ?? '', ...listOf(text).map(parseOrigin)]),
      'List origins such as https://app.example.com, separated by commas.',
    ),
    issuers: read(
      'TRUSTED_ISSUERS',
      '[]',
      (text) => z.array(IssuerConfig).parse(JSON.parse(text)),
      'Set it to a JSON array such as [{"preset":"keycloak","issuer":"https://idp/realms/x"}].',
    ),
    advertisedScopes: read('ADVERTISED_SCOPES', '', listOf, ''),
    bootstrapAdmin: read(
      'BOOTSTRAP_ADMIN',
      'null',
      (text) => BootstrapAdmin.nullable().parse(JSON.parse(text)) ?? undefined,
      'Set it to JSON such as {"issuer":"https://idp","subject":"..."}.',
    ),
    privateHosts: read(
      'PRIVATE_UPSTREAMS',
      '',
      (text) => parsePrivateHosts(text, allowedHosts),
      'List host names, addresses or CIDRs, separated by commas.',
    ),
    resolverUrl: read(
      'RESOLVER_URL',
      '',
      optional(parseWebUrl),
      'Set it to a DNS-over-HTTPS URL such as https://cloudflare-dns.com/dns-query.',
    ),
    maxBodyBytes: read('MAX_BODY_BYTES', '4194304', integer(1_024, 104_857_600), ''),
    bodyTimeoutMs: read('BODY_TIMEOUT_MS', '30000', integer(10, 600_000), ''),
    streamStallMs: read('STREAM_STALL_MS', '60000', integer(40, 3_600_000), ''),
    streamMessageMs: read('STREAM_MESSAGE_MS', '60000', integer(10, 3_600_000), ''),
    streamMaxMs: read('STREAM_MAX_MS', '86400000', integer(10, 604_800_000), ''),
    maxStreamsPerPrincipal: read('MAX_STREAMS_PER_PRINCIPAL', '100', integer(1, 30_000), ''),
    // An object holds 32,768 sockets.
    maxStreamsPerTenant: read('MAX_STREAMS_PER_TENANT', '30000', integer(1, 32_000), ''),
    maxCallsPerPrincipal: read('MAX_CALLS_PER_PRINCIPAL', '500', integer(1, 100_000), ''),
    principalPerMinute: read('LIMIT_PRINCIPAL_PER_MINUTE', '600', integer(1, 1_000_000), ''),
    tenantPerMinute: read('LIMIT_TENANT_PER_MINUTE', '6000', integer(1, 10_000_000), ''),
    addressPerMinute: read('LIMIT_ADDRESS_PER_MINUTE', '3000', integer(0, 10_000_000), ''),
    addressHeader: read(
      'CLIENT_ADDRESS_HEADER',
      '',
      optional(parseHeaderName),
      'Set it to a header that your proxy always overwrites, such as CF-Connecting-IP.',
    ),
    breakerFailureThreshold: read('BREAKER_FAILURE_THRESHOLD', '5', integer(1, 1_000), ''),
    breakerFailurePercent: read('BREAKER_FAILURE_PERCENT', '50', integer(1, 100), ''),
    breakerOpenMs: read('BREAKER_OPEN_MS', '30000', integer(100, 3_600_000), ''),
    breakerMaxOpenMs: read('BREAKER_MAX_OPEN_MS', '300000', integer(100, 3_600_000), ''),
    tenantConcurrent: read('BULKHEAD_TENANT_CONCURRENT', '1000', integer(1, 100_000), ''),
    endpointConcurrent: read('BULKHEAD_ENDPOINT_CONCURRENT', '0', integer(0, 100_000), ''),
    policyMaxStaleMs: read('POLICY_MAX_STALE_MS', '60000', integer(5_000, 3_600_000), ''),
    secret: read('GATEHOUSE_SECRET', '', parseSecret, SECRET_FIX),
    previous: read('GATEHOUSE_SECRET_PREVIOUS', '', optional(parseSecret), SECRET_FIX),
    signingKey: read(
      'GATEHOUSE_SIGNING_KEY',
      '',
      optional((text) => SigningKeyJwk.parse(JSON.parse(text))),
      'Set it to a private ES256 JWK; npm start makes one in .dev.vars.',
    ),
  }
  if (problems.length > 0) return { kind: 'problems', problems }
  const { secret, previous, ...rest } = config
  const secrets = [secret, previous].filter((value) => value !== undefined)
  return { kind: 'config', config: { ...(rest as Complete<typeof rest>), secrets } }
}

/** Without problems every variable has been read; only what is optional may be undefined. */
type Complete<T> = {
  [K in keyof T]: K extends 'addressHeader' | 'bootstrapAdmin' | 'signingKey' | 'resolverUrl'
    ? T[K]
    : Exclude<T[K], undefined>
}

function createReader(env: EnvVars, problems: ConfigProblem[]) {
  return function read<T>(
    variable: keyof EnvVars,
    fallback: string,
    parse: (text: string) => T,
    fix: string,
  ): T | undefined {
    const text = env[variable]?.trim()
    try {
      return parse(text === undefined || text === '' ? fallback : text)
    } catch (thrown) {
      const isSecret = variable.startsWith('GATEHOUSE_')
      problems.push({
        variable,
        message: isSecret ? secretProblem(text) : describe(thrown),
        fix: fix === '' ? 'See .dev.vars.example for its form.' : fix,
      })
      return undefined
    }
  }
}

function describe(thrown: unknown): string {
  if (thrown instanceof z.ZodError) {
    return thrown.issues
      .map((issue) => `${issue.path.join('.') || 'value'}: ${issue.message}`)
      .join('; ')
  }
  return thrown instanceof Error ? thrown.message : 'is malformed'
}

function secretProblem(text: string | undefined): string {
  return text === undefined || text === '' ? 'is missing' : 'is too short or malformed'
}
