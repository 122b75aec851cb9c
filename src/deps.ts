import {
  type Clock,
  createDohResolver,
  createHostVerdicts,
  createOutbound,
  createSealer,
  type Fetcher,
  impatientD1,
  impatientStub,
  type Random,
  REVOCABLE,
  systemClock,
  systemRandom,
} from './core/index.ts'
import type { Bindings, Config } from './env.ts'
import { challenge, createIdentity, resourceMetadataUrl } from './identity/index.ts'
import type { ProbeSliceDeps } from './jobs/index.ts'
import { createAddressLimit, createLimits } from './limits/index.ts'
import {
  createDiscover,
  createMcp,
  createProbe,
  createUpstreamOutbound,
  endpointUrl,
  type StreamBounds,
  sseUrl,
} from './mcp/index.ts'
import { createEvents } from './observability/index.ts'
import { createRegistry } from './registry/index.ts'
import { breakerConfigOf, createBreakers, createLoad, DEFAULT_BREAKER } from './resilience/index.ts'

/** What a test may replace; production uses the platform's. */
export interface Seams {
  readonly clock?: Clock
  readonly random?: Random
  readonly fetcher?: Fetcher
  readonly writeLine?: (line: string) => void
  /** Keeps an invocation alive for work that nobody waits for; what is handed over never rejects. */
  readonly behind?: (work: Promise<unknown>) => void
}

const ANY_HOST = { allows: () => true, isGateway: () => false }
/** Limits and breakers: a call waits for them, and is served without them. */
const SHORT_OBJECT_MS = 2_000
/** What a session's object knows, where no upstream has to be asked for it. */
const SESSION_OBJECT_MS = 5_000
/** Where one has, its own deadline holds. */
const SLOW_SESSION_CALLS = ['fetch', 'open', 'recover', 'move'] as const
/** A batch of D1 may take 30 s (its limits); what only reads must not hold a call for so long. */
const D1_PATIENCE = { readMs: 5_000, writeMs: 30_000 }

/** All wiring, once per isolate: each line gives a room what it needs and nothing more. */
export function createDeps(env: Bindings, config: Config, seams: Seams = {}) {
  const clock = seams.clock ?? systemClock
  const random = seams.random ?? systemRandom
  const events = createEvents(seams.writeLine ?? writeToConsole, () => clock.now())
  const { privateHosts, publicUrl, signingKey } = config
  const fetching = seams.fetcher ? { fetcher: seams.fetcher } : {}
  const hosts = config.resolverUrl
    ? createHostVerdicts({
        // Whatever the operator names as his resolver may be asked.
        resolve: createDohResolver(
          createOutbound({ privateHosts: ANY_HOST, ...fetching }),
          config.resolverUrl,
        ),
        ...{ privateHosts, clock, behind: seams.behind ?? ((work) => void work) },
      })
    : undefined
  const outbound = createOutbound({ privateHosts, ...fetching, ...(hosts ? { hosts } : {}) })
  const upstreamOutbound = createUpstreamOutbound({
    outbound,
    linkObject: (name) => env.LINKS.getByName(name),
  })
  const sealer = createSealer(config.secrets, { clock, random })
  const own = signingKey ? { issuer: publicUrl, signingKeyJwk: signingKey } : undefined
  const identity = createIdentity({
    publicUrl,
    issuers: config.issuers,
    own,
    outbound,
    clock,
    events,
  })
  const limits = createLimits({
    config,
    events,
    object: (tenant) => impatientStub(env.LIMITERS.getByName(tenant), SHORT_OBJECT_MS),
  })
  const allowAddress = createAddressLimit({
    ...{ config, clock, random, events },
    binding: env.ADDRESS_LIMITER,
  })
  const breakers = createBreakers({
    config: breakerConfig(config),
    events,
    object: (endpoint) => impatientStub(env.BREAKERS.getByName(endpoint), SHORT_OBJECT_MS),
  })
  const load = createLoad({
    events,
    object: (endpoint) => impatientStub(env.BREAKERS.getByName(endpoint), SHORT_OBJECT_MS),
  })
  const discover = createDiscover(upstreamOutbound)
  const registry = createRegistry({
    d1: impatientD1(env.DB, D1_PATIENCE),
    breakerPhase: (ctx, endpoint) => breakers.phase(endpoint, ctx.clock.now()),
    sealer,
    discover,
    privateHosts,
    ...(hosts ? { hosts } : {}),
    events,
    resilience: config,
    freshness: { ...REVOCABLE, policyMaxStaleMs: config.policyMaxStaleMs },
    bootstrapAdmin: config.bootstrapAdmin,
    limiter: (tenant) => impatientStub(env.LIMITERS.getByName(tenant), SHORT_OBJECT_MS),
  })
  const mcp = createMcp({
    ...{ registry, limits, events, breakers, load, sealer, clock },
    outbound: upstreamOutbound,
    sending: config,
    body: { maxBytes: config.maxBodyBytes, timeoutMs: config.bodyTimeoutMs },
    bounds: streamBounds(config),
    maxCallsOfPrincipal: config.maxCallsPerPrincipal,
    sessionObject: (name) =>
      impatientStub(env.SESSIONS.getByName(name), SESSION_OBJECT_MS, SLOW_SESSION_CALLS),
    bridgeObject: (name) => env.BRIDGES.getByName(name),
    catalogObject: (name) => env.CATALOGS.getByName(name),
    eventsObject: (tenant) => env.EVENTS.getByName(tenant),
    probeSoon: (endpoint) => env.PROBES.getByName('soon').wake([endpoint], true),
    challenge: (path, scope) => stepUp(endpointUrl(publicUrl, path), scope),
    sseChallenge: (path, scope) => stepUp(sseUrl(publicUrl, path), scope),
  })
  const slice: ProbeSliceDeps = {
    probes: registry.probes,
    probe: createProbe(upstreamOutbound),
    discover,
    breakers,
    events,
    ...(hosts ? { hosts } : {}),
  }
  return {
    ...{ config, clock, random, events, outbound, upstreamOutbound, identity, limits, registry },
    ...{ mcp, slice, env, allowAddress },
  }
}

export type Deps = ReturnType<typeof createDeps>

/** The breaker's numbers; also for its object, which exists before the rest is wired. */
export function breakerConfig(config: Config | undefined) {
  if (!config) return DEFAULT_BREAKER
  return breakerConfigOf(DEFAULT_BREAKER, {
    failureThreshold: config.breakerFailureThreshold,
    failurePercent: config.breakerFailurePercent,
    openMs: config.breakerOpenMs,
    maxOpenMs: config.breakerMaxOpenMs,
  })
}

function streamBounds(config: Config): StreamBounds {
  return {
    stallMs: config.streamStallMs,
    messageMs: config.streamMessageMs,
    maxMs: config.streamMaxMs,
  }
}

/** The challenge to whom a scope is missing. */
function stepUp(resource: string, scope: string): string {
  return challenge(resourceMetadataUrl(resource), { code: 'insufficient_scope', scope })
}

function writeToConsole(line: string): void {
  // biome-ignore lint/suspicious/noConsole: Workers Logs reads event lines from the console.
  console.log(line)
}
