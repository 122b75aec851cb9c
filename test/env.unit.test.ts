import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { breakerConfig } from '../src/deps.ts'
import { type Config, type ConfigProblem, type EnvVars, parseConfig } from '../src/env.ts'
import { DEFAULT_BODY_TIMEOUT_MS } from '../src/http/request-body.ts'
import { MAX_STREAMS_OF_PRINCIPAL, MAX_STREAMS_OF_TENANT } from '../src/mcp/notices/socket.ts'
import { DEFAULT_SENDING } from '../src/mcp/upstream/send-policy.ts'
import { DEFAULT_STREAM_BOUNDS } from '../src/mcp/wire/stream-bounds.ts'
import { DEFAULT_BREAKER } from '../src/resilience/index.ts'

const SECRET = 'abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQ'
const PREVIOUS = 'ZYXWVUTSRQPONMLKJIHGFEDCBA-zyxwvutsrqponmlkj'
const MINIMUM: EnvVars = { PUBLIC_URL: 'https://gate.example.com', GATEHOUSE_SECRET: SECRET }

/** A real key, so that only what a test changes is wrong with it. */
const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const KEY = await exportJWK(privateKey)
const D = KEY.d ?? ''

function configOf(vars: EnvVars): Config {
  const parsed = parseConfig({ ...MINIMUM, ...vars })
  if (parsed.kind === 'problems') throw new Error(JSON.stringify(parsed.problems))
  return parsed.config
}

function problemsOf(vars: EnvVars): readonly ConfigProblem[] {
  const parsed = parseConfig(vars)
  return parsed.kind === 'problems' ? parsed.problems : []
}

describe('the configuration', () => {
  it('needs an origin and a secret, and has a default for all else', () => {
    const config = configOf({})
    expect(config).toMatchObject({
      publicUrl: 'https://gate.example.com',
      allowedHosts: new Set(['gate.example.com']),
      allowedOrigins: new Set(['https://gate.example.com']),
      issuers: [],
      advertisedScopes: [],
      maxBodyBytes: 4_194_304,
      principalPerMinute: 600,
      tenantPerMinute: 6_000,
      breakerFailureThreshold: 5,
      breakerOpenMs: 30_000,
      policyMaxStaleMs: 60_000,
      secrets: [SECRET],
    })
    expect(config.bootstrapAdmin).toBeUndefined()
    expect(config.signingKey).toBeUndefined()
    expect(config.privateHosts.allows('localhost')).toBe(false)
  })

  it('has the defaults that its readers have by themselves', () => {
    const config = configOf({})
    expect(config).toMatchObject({ principalPerMinute: 600, tenantPerMinute: 6_000 })
    expect(config).toMatchObject(DEFAULT_SENDING)
    expect(breakerConfig(config)).toEqual(DEFAULT_BREAKER)
    expect(config).toMatchObject({
      bodyTimeoutMs: DEFAULT_BODY_TIMEOUT_MS,
      streamStallMs: DEFAULT_STREAM_BOUNDS.stallMs,
      streamMessageMs: DEFAULT_STREAM_BOUNDS.messageMs,
      streamMaxMs: DEFAULT_STREAM_BOUNDS.maxMs,
      maxStreamsPerPrincipal: MAX_STREAMS_OF_PRINCIPAL,
      maxStreamsPerTenant: MAX_STREAMS_OF_TENANT,
    })
  })

  it('is explained, each variable with its default, in .dev.vars.example and the README', async () => {
    const seen = new Set<string>()
    parseConfig(new Proxy({}, { get: (_, name) => void seen.add(String(name)) }))
    const example = await readFile('.dev.vars.example', 'utf8')
    const readme = await readFile('README.md', 'utf8')
    for (const name of seen) {
      expect(example).toMatch(new RegExp(`^#?${name}=`, 'm'))
      expect(readme).toMatch(new RegExp(`^\\|.*\`${name}\`.*\\|`, 'm'))
    }
    const vars = parseEnv(example.replace(/^#([A-Z_]+=)/gm, '$1'))
    const { PUBLIC_URL = '' } = vars
    const { privateHosts: _, ...explained } = configOf({ ...vars, GATEHOUSE_SECRET: SECRET })
    const { privateHosts: __, ...defaults } = configOf({ PUBLIC_URL })
    expect(explained).toEqual(defaults)
  })

  it('takes an empty or blank variable for a missing one', () => {
    const blank = { ALLOWED_ORIGINS: '', TRUSTED_ISSUERS: ' ', MAX_BODY_BYTES: '  ' }
    expect(configOf({ ...blank, GATEHOUSE_SECRET_PREVIOUS: '' })).toMatchObject({
      issuers: [],
      maxBodyBytes: 4_194_304,
      secrets: [SECRET],
    })
  })

  it('reads lists, JSON and numbers', () => {
    const config = configOf({
      PUBLIC_URL: 'HTTP://Gate.Example.com:8787/',
      ALLOWED_HOSTS: 'Other.example.com, 127.0.0.1:8787',
      ALLOWED_ORIGINS: 'https://app.example.com/ http://localhost:5173',
      TRUSTED_ISSUERS: '[{"preset":"oidc","issuer":"https://idp.example.com"}]',
      ADVERTISED_SCOPES: 'gatehouse:read gatehouse:call',
      BOOTSTRAP_ADMIN: '{"issuer":"https://idp.example.com","subject":"alice"}',
      PRIVATE_UPSTREAMS: 'localhost, 10.0.0.0/8',
      MAX_BODY_BYTES: '1024',
      GATEHOUSE_SECRET_PREVIOUS: PREVIOUS,
      GATEHOUSE_SIGNING_KEY: JSON.stringify(KEY),
    })
    expect(config).toMatchObject({
      publicUrl: 'http://gate.example.com:8787',
      allowedHosts: new Set(['gate.example.com:8787', 'other.example.com', '127.0.0.1:8787']),
      allowedOrigins: new Set([
        'http://gate.example.com:8787',
        'https://app.example.com',
        'http://localhost:5173',
      ]),
      issuers: [{ preset: 'oidc', issuer: 'https://idp.example.com' }],
      advertisedScopes: ['gatehouse:read', 'gatehouse:call'],
      bootstrapAdmin: { issuer: 'https://idp.example.com', subject: 'alice' },
      maxBodyBytes: 1_024,
      secrets: [SECRET, PREVIOUS],
      signingKey: { kty: 'EC', crv: 'P-256' },
    })
    expect(config.privateHosts.allows('10.1.2.3')).toBe(true)
  })
})

describe('a configuration problem', () => {
  it.each<[keyof EnvVars, string, RegExp]>([
    ['PUBLIC_URL', '', /not an absolute URL/],
    ['RESOLVER_URL', 'dns.example', /not an absolute URL/],
    ['RESOLVER_URL', 'udp://dns.example', /must be an http or https URL/],
    ['STREAM_STALL_MS', '0', /whole number/],
    ['STREAM_MAX_MS', '1e9', /whole number/],
    ['MAX_STREAMS_PER_TENANT', '40000', /whole number/],
    ['PUBLIC_URL', 'gate.example.com', /not an absolute URL|must be an origin/],
    ['PUBLIC_URL', 'https://gate.example.com/path', /must be an origin/],
    ['PUBLIC_URL', 'https://gate.example.com?x', /must be an origin/],
    ['PUBLIC_URL', 'https://user@gate.example.com', /must be an origin/],
    ['PUBLIC_URL', 'ftp://gate.example.com', /must be an origin/],
    ['ALLOWED_ORIGINS', '*', /not an absolute URL/],
    ['ALLOWED_ORIGINS', 'null', /not an absolute URL/],
    ['ALLOWED_ORIGINS', 'https://app.example.com/path', /must be an origin/],
    ['TRUSTED_ISSUERS', 'https://idp.example.com', /JSON/],
    ['TRUSTED_ISSUERS', '{}', /expected array/],
    ['TRUSTED_ISSUERS', '[{"preset":"oidc"}]', /^0\.issuer: /],
    ['TRUSTED_ISSUERS', '[{"preset":"none","issuer":"https://idp.example.com"}]', /^0\.preset: /],
    ['TRUSTED_ISSUERS', '[{"preset":"oidc","issuer":"https://i.example","x":1}]', /"x"/],
    [
      'TRUSTED_ISSUERS',
      '[{"preset":"oidc","issuer":"https://i.example","algorithms":["HS256"]}]',
      /^0\.algorithms/,
    ],
    [
      'TRUSTED_ISSUERS',
      '[{"preset":"oidc","issuer":"https://i.example","algorithms":["none"]}]',
      /^0\.algorithms/,
    ],
    ['BOOTSTRAP_ADMIN', 'alice', /JSON/],
    ['BOOTSTRAP_ADMIN', '{}', /./],
    ['BOOTSTRAP_ADMIN', '{"issuer":"https://idp.example.com"}', /./],
    ['PRIVATE_UPSTREAMS', '10.0.0.0/99', /"10\.0\.0\.0\/99" is neither/],
    ['PRIVATE_UPSTREAMS', 'http://localhost', /"http:\/\/localhost" is neither/],
    ['MAX_BODY_BYTES', '0', /whole number from 1024 to 104857600/],
    ['MAX_BODY_BYTES', '4MB', /whole number/],
    ['MAX_BODY_BYTES', '1e6', /whole number/],
    ['MAX_BODY_BYTES', '-1', /whole number/],
    ['MAX_BODY_BYTES', '104857601', /whole number/],
    ['LIMIT_PRINCIPAL_PER_MINUTE', '0', /whole number from 1 to/],
    ['LIMIT_TENANT_PER_MINUTE', 'many', /whole number from 1 to/],
    ['BREAKER_FAILURE_THRESHOLD', '1.5', /whole number from 1 to 1000/],
    ['BREAKER_OPEN_MS', '10', /whole number from 100 to/],
    ['BREAKER_FAILURE_PERCENT', '101', /whole number from 1 to 100/],
    ['BREAKER_MAX_OPEN_MS', '10', /whole number from 100 to/],
    ['BULKHEAD_TENANT_CONCURRENT', '0', /whole number from 1 to/],
    ['BULKHEAD_ENDPOINT_CONCURRENT', '-1', /whole number from 0 to/],
    ['POLICY_MAX_STALE_MS', '1000', /whole number from 5000 to/],
    ['GATEHOUSE_SECRET', '', /^is missing$/],
    ['GATEHOUSE_SECRET', 'x'.repeat(42), /^is too short or malformed$/],
    ['GATEHOUSE_SECRET_PREVIOUS', 'short', /^is too short or malformed$/],
    ['GATEHOUSE_SIGNING_KEY', 'no json', /^is too short or malformed$/],
    ['GATEHOUSE_SIGNING_KEY', '{"kty":"oct","k":"c2VjcmV0"}', /^is too short or malformed$/],
    [
      'GATEHOUSE_SIGNING_KEY',
      JSON.stringify({ ...KEY, d: undefined }),
      /^is too short or malformed$/,
    ],
    ['GATEHOUSE_SIGNING_KEY', JSON.stringify([KEY]), /^is too short or malformed$/],
  ])('of %s=%s is named with its fix', (variable, value, message) => {
    const problems = problemsOf({ ...MINIMUM, [variable]: value })
    expect(problems.map((problem) => problem.variable)).toEqual([variable])
    expect(problems[0]?.message).toMatch(message)
    expect(problems[0]?.fix).toMatch(/^(Set|List|Make|See) .{8,}/)
  })

  it('does not hide another: all are told at once', () => {
    const wrong: EnvVars = {
      PUBLIC_URL: 'x',
      ALLOWED_ORIGINS: 'x',
      TRUSTED_ISSUERS: 'x',
      BOOTSTRAP_ADMIN: 'x',
      PRIVATE_UPSTREAMS: '*',
      MAX_BODY_BYTES: 'x',
      LIMIT_PRINCIPAL_PER_MINUTE: 'x',
      LIMIT_TENANT_PER_MINUTE: 'x',
      BREAKER_FAILURE_THRESHOLD: 'x',
      BREAKER_OPEN_MS: 'x',
      POLICY_MAX_STALE_MS: 'x',
      GATEHOUSE_SECRET: 'x',
      GATEHOUSE_SECRET_PREVIOUS: 'x',
      GATEHOUSE_SIGNING_KEY: 'x',
    }
    const named = problemsOf(wrong).map(({ variable }) => variable)
    expect(named.sort()).toEqual(Object.keys(wrong).sort())
    expect(problemsOf({}).map(({ variable }) => variable)).toEqual([
      'PUBLIC_URL',
      'GATEHOUSE_SECRET',
    ])
  })

  it('never shows a secret, whole or in part', () => {
    const key = JSON.stringify(KEY)
    for (const vars of [
      { GATEHOUSE_SECRET: SECRET.slice(0, 42), GATEHOUSE_SECRET_PREVIOUS: PREVIOUS.slice(0, 42) },
      { GATEHOUSE_SIGNING_KEY: key.slice(0, -1) },
      { GATEHOUSE_SIGNING_KEY: `${key}x` },
      { GATEHOUSE_SIGNING_KEY: JSON.stringify({ ...KEY, crv: 'P-384' }) },
      { GATEHOUSE_SIGNING_KEY: JSON.stringify({ ...KEY, x: 7 }) },
      { GATEHOUSE_SIGNING_KEY: D },
    ]) {
      const problems = problemsOf({ ...MINIMUM, ...vars })
      expect(problems).not.toEqual([])
      const text = JSON.stringify(problems)
      for (const secret of [SECRET, PREVIOUS, D]) expect(text).not.toContain(secret.slice(0, 8))
    }
  })
})

describe('ALLOWED_HOSTS', () => {
  it.each(['https://gate.example.com', 'gate.example.com/path', 'user@gate', 'gate:port'])(
    'refuses %s, naming it',
    (host) => {
      expect(problemsOf({ ...MINIMUM, ALLOWED_HOSTS: `ok.example:8080,${host}` })).toMatchObject([
        { variable: 'ALLOWED_HOSTS', message: expect.stringContaining(`"${host}"`) },
      ])
    },
  )
})
