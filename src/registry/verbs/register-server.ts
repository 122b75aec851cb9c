import { type CallContext, parseInput, ServerId } from '../../core/index.ts'
import { type Actor, requirePermission } from '../../policy/index.ts'
import { NOTHING_DISCOVERED } from '../catalog.ts'
import { healthOf, type StoredServer } from '../rows.ts'
import { checkEndpoints, checkResilience, ServerInput } from '../schemas.ts'
import { mergeEndpoints, withOutcome } from '../server-endpoints.ts'
import { UNKNOWN_UPSTREAM } from '../server-record.ts'
import { pathTaken } from '../server-repository.ts'
import { transportUntilAsked } from '../transports.ts'
import type { VerbDeps } from '../verb-deps.ts'
import { type ServerOut, serverOutOf } from '../views.ts'

/**
 * Registers a server for the actor, who becomes its owner: asks it what it offers and stores both.
 * Throws `forbidden`, `invalid_params`, `conflict` for a path that is taken, `upstream_failed` for
 * a catalogue over its bounds, and `upstream_unreachable` unless `allowUnreachable`. Change log:
 * `server.register`.
 */
export function createRegisterServer(deps: VerbDeps) {
  return async function registerServer(
    ctx: CallContext,
    actor: Actor,
    input: unknown,
    options: { readonly allowUnreachable: boolean },
  ): Promise<ServerOut> {
    requirePermission(actor, 'register_service')
    const wanted = parseInput(ServerInput, input)
    checkEndpoints(wanted.endpoints, deps.privateHosts, wanted.transport)
    checkResilience(wanted.resilience, wanted, deps.resilience)
    const { tenant, key: owner } = actor.principal
    requirePermission(actor, 'register_service', { ...wanted, owner })
    if (await deps.repositories.servers.isTaken(tenant, wanted.path)) throw pathTaken(wanted.path)

    const unasked = mergeEndpoints(ctx, wanted.endpoints, [])
    const outcome = await deps.discoverEndpoints(ctx, {
      endpoints: unasked,
      choice: wanted.transport,
      headers: wanted.headers,
      timeoutMs: wanted.timeoutMs,
      allowUnreachable: options.allowUnreachable,
      triesLegacy: false,
    })

    const now = ctx.clock.now()
    const { headers, transport: transportChoice, ...columns } = wanted
    const id = ServerId.parse(ctx.random.uuid())
    const endpoints = withOutcome(unasked, outcome, now)
    const isDetected = transportChoice === 'auto' && outcome.found !== undefined
    const server: StoredServer = {
      ...columns,
      id,
      tenant,
      owner,
      endpoints,
      transportChoice,
      transport: outcome.found?.transport ?? transportUntilAsked(transportChoice, endpoints),
      transportDetectedAt: isDetected ? now : null,
      headersSealed: await deps.headers.seal(tenant, id, headers),
      headerNames: Object.keys(headers),
      health: healthOf(endpoints),
      upstream: outcome.found?.facts ?? UNKNOWN_UPSTREAM,
      discovered: outcome.found?.catalog.counts ?? NOTHING_DISCOVERED,
      catalogHash: outcome.found?.catalog.hash ?? null,
      discoveredAt: outcome.found === undefined ? null : now,
      createdAt: now,
      updatedAt: now,
    }
    await deps.repositories.servers.insert(ctx, server, outcome.found?.catalog, {
      tenant,
      actor: owner,
      action: 'server.register',
      target: server.path,
      summary: {
        id,
        endpoints: endpoints.length,
        visibility: server.visibility,
        health: server.health,
        discovered: server.discovered,
      },
    })
    deps.snapshots.drop(tenant)
    return serverOutOf(actor, server)
  }
}
