import { env, waitUntil } from 'cloudflare:workers'
import { createApp } from './app.ts'
import { GatewayError, systemClock, systemRandom } from './core/index.ts'
import { breakerConfig, createDeps } from './deps.ts'
import { type Env, parseConfig } from './env.ts'
import { problemResponse } from './http/index.ts'
import { jobContext, runHealthRound } from './jobs/index.ts'
import { createProbeObject } from './jobs/probe-object.ts'
import { createLimiterObject } from './limits/limiter-object.ts'
import { createBridgeObject } from './mcp/bridge/bridge-object.ts'
import { createCatalogObject } from './mcp/catalog/catalog-object.ts'
import { createLinkObject } from './mcp/link/link-object.ts'
import { createEventsObject } from './mcp/notices/events-object.ts'
import { createWatchObject } from './mcp/notices/watch-object.ts'
import { createSessionObject } from './mcp/session/session-object.ts'
import { createEvents } from './observability/index.ts'
import { createBreakerObject } from './resilience/breaker-object.ts'

// At module scope: parsing and wiring, no I/O. What needs the network is built on first use.
const parsed = parseConfig(env as Env)
const config = parsed.kind === 'config' ? parsed.config : undefined
const deps = config ? createDeps(env as Env, config, { behind: waitUntil }) : undefined
const app = deps ? createApp(deps) : undefined
const log = createEvents(
  (line) => console.log(line),
  () => systemClock.now(),
)

export class LimiterObject extends createLimiterObject({ clock: systemClock }) {}

export class BreakerObject extends createBreakerObject({
  clock: systemClock,
  config: breakerConfig(config),
}) {}

export class SessionObject extends createSessionObject({
  outbound: () => wired().upstreamOutbound,
}) {}

export class LinkObject extends createLinkObject({
  clock: systemClock,
  random: systemRandom,
  outbound: () => wired().outbound,
}) {}

export class ProbeObject extends createProbeObject({
  clock: systemClock,
  random: systemRandom,
  events: log,
  slice: () => wired().slice,
}) {}

export class BridgeObject extends createBridgeObject({
  clock: systemClock,
  outbound: () => wired().upstreamOutbound,
  close: ({ tenant, session }, waitUntil) =>
    wired().mcp.closeUpstreams(jobContextOf(waitUntil), tenant, [session]),
}) {}

export class CatalogObject extends createCatalogObject({
  clock: systemClock,
  events: log,
  context: jobContextOf,
  wiring: () => wired().slice,
}) {}

export class WatchObject extends createWatchObject({
  clock: systemClock,
  random: systemRandom,
  events: log,
  context: jobContextOf,
  wiring: () => wired().mcp.watching,
}) {}

export class EventsObject extends createEventsObject({
  clock: systemClock,
  events: log,
  uuid: () => systemRandom.uuid(),
  maxOfPrincipal: config?.maxStreamsPerPrincipal,
  maxOfTenant: config?.maxStreamsPerTenant,
  watchObject: (name) => wired().env.WATCHES.getByName(name),
}) {}

export default {
  fetch: (request, _bindings, ctx) => (app ? app.fetch(request, ctx) : misconfigured()),
  scheduled: async () => {
    const { env: bindings, events, random, registry } = wired()
    await runHealthRound({
      events,
      random,
      listEndpointIds: registry.probes.listEndpointIds,
      probeObject: (name) => bindings.PROBES.getByName(name),
    })
  },
} satisfies ExportedHandler<Env>

function jobContextOf(waitUntil: (work: Promise<unknown>) => void) {
  return jobContext({ clock: systemClock, random: systemRandom }, waitUntil)
}

function wired() {
  if (!deps) throw new GatewayError('misconfigured', 'The gateway is not configured.')
  return deps
}

/** Says what is wrong to the operator's log, and to the caller only that something is. */
function misconfigured(): Response {
  const requestId = systemRandom.uuid()
  const problems = parsed.kind === 'problems' ? parsed.problems : []
  for (const { variable, message, fix } of problems) {
    const error = `${variable} ${message}. ${fix}`
    log.emit({ type: 'fault', requestId, where: 'configuration', error })
  }
  const error = new GatewayError(
    'misconfigured',
    'The gateway is not configured; its log says why.',
  )
  return problemResponse(error, requestId)
}
