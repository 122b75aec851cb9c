import {
  andThen,
  type CallContext,
  type EndpointId,
  GatewayError,
  type MaybePromise,
  retryIn,
} from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import {
  type BreakerProbe,
  type Breakers,
  type Bulkhead,
  type BulkheadBounds,
  type Choice,
  chooseEndpoint,
  createBulkhead,
  createRotations,
  type Load,
  type Seat,
} from '../../resilience/index.ts'
import type { SendDefaults, SendPolicy } from './send-policy.ts'
import type { Endpoint } from './upstream-call.ts'

type Picked = Choice<Endpoint>

/** Which call looks for an endpoint. */
export interface Where {
  readonly call: {
    readonly server: ServerRecord
    readonly pinned?: EndpointId | undefined
    readonly key?: (() => string) | undefined
    readonly isJudged?: true
    readonly isAdmitted?: true
  }
  readonly tried: readonly EndpointId[]
  /** Absent for what counts in no bulkhead. */
  readonly policy?: SendPolicy
  /** Default: the context's own. */
  readonly signal?: AbortSignal | undefined
  /** False for a second copy, which is sent elsewhere or not at all. */
  readonly mayWait?: boolean
}

/** An endpoint whose breaker let the call through, and the seat that the call has there. */
export interface Chosen {
  readonly endpoint: Endpoint
  /** Goes with the call's outcome. */
  readonly probe?: BreakerProbe | undefined
  readonly seat?: Seat<EndpointId>
}

/** Where calls find room: within their tenant, and at an endpoint of their server. */
export interface Places {
  /** Undefined when the call has to wait. */
  enterTenant(ctx: CallContext, server: ServerRecord): Seat | undefined
  /** Throws `no_capacity`. */
  wait(of: Pick<Where, 'call' | 'signal'> & { readonly ctx: CallContext }): Promise<Seat>
  /**
   * No promise unless somebody has to be asked or waited for. Throws `upstream_unavailable` and
   * `no_capacity`.
   */
  choose(ctx: CallContext, where: Where): MaybePromise<Chosen>
  leave(ctx: CallContext, seat: Seat<EndpointId>): void
  /** Whether a second copy could be sent to another endpoint now. */
  isElsewhere(ctx: CallContext, where: Where): boolean
}

export interface PlacesDeps {
  readonly tenants: Bulkhead
  readonly breakers: Breakers
  readonly load: Load
  readonly defaults: SendDefaults
}

/** Of calls that wait for others of their tenant. */
const TENANT_QUEUE = { maxQueued: 500, queueMs: 2_000 }
/** Told to whom there was no room for: by then a call or two have ended. */
const RETRY_SECONDS = 1

/** @see Places */
export function createPlaces({ tenants, breakers, load, defaults }: PlacesDeps): Places {
  const endpoints: Bulkhead<EndpointId> = createBulkhead((id, now) =>
    Math.max(0, load.inFlight(id, now) - endpoints.running(id)),
  )
  const rotations = createRotations()
  const tenantBounds = { maxConcurrent: defaults.tenantConcurrent, ...TENANT_QUEUE }

  function hasRoom(ctx: CallContext, server: ServerRecord, id: EndpointId, max: number): boolean {
    return endpoints.hasRoom(id, server.id, max, ctx.clock.now())
  }

  /** A second attempt goes elsewhere when there is an elsewhere. */
  function candidates({ call, tried, mayWait }: Where): readonly Endpoint[] {
    const own = eligible(call)
    const fresh = tried.length === 0 ? own : own.filter(({ id }) => !tried.includes(id))
    return fresh.length > 0 || mayWait === false ? fresh : own
  }

  function pick(
    ctx: CallContext,
    { server, key, isAdmitted }: Where['call'],
    from: readonly Endpoint[],
  ): MaybePromise<Picked> {
    const [pinned] = from
    if (isAdmitted && pinned) return { kind: 'endpoint', endpoint: pinned }
    const { id, resilience: settings } = server
    const own = breakers.of(server)
    const plan = { breakers: own, load, rotations, settings, key, server: id, endpoints: from }
    return chooseEndpoint(ctx, plan)
  }

  /** Where there is room, or after a while of waiting for some. */
  function pickRoomy(ctx: CallContext, where: Where, bounds: BulkheadBounds): MaybePromise<Chosen> {
    const { call } = where
    const { server } = call
    const max = bounds.maxConcurrent
    const now = ctx.clock.now()
    const all = candidates(where)
    const alive = all.filter(({ id }) => breakers.of(server).peek(id, now) !== 'open')
    // With every breaker open it is them, and not their calls, that refuse.
    if (alive.length === 0) return andThen(pick(ctx, call, all), (none) => admitted(server, none))
    const roomy = alive.filter(({ id }) => hasRoom(ctx, server, id, max))
    if (roomy.length === 0) return lineUp(ctx, where, alive, bounds)
    return andThen(pick(ctx, call, roomy), (picked) => {
      if (picked.kind === 'unavailable') {
        // The probe of the one with room went to someone else: the others have no room.
        const others = alive.filter((each) => !roomy.includes(each))
        return others.length > 0 ? lineUp(ctx, where, others, bounds) : admitted(server, picked)
      }
      const { endpoint, probe } = picked
      const seat = endpoints.tryEnter(endpoint.id, server.id, max, ctx.clock.now())
      if (seat) return { endpoint, probe, seat }
      // Others were faster while the breaker was asked.
      breakers.record(ctx, endpoint.id, 'abandoned', probe)
      return pickRoomy(ctx, where, bounds)
    })
  }

  /** Waits for one of these, and asks its breaker once it is let in. */
  async function lineUp(
    ctx: CallContext,
    where: Where,
    alive: readonly Endpoint[],
    bounds: BulkheadBounds,
  ): Promise<Chosen> {
    const { call } = where
    const seat = await line(ctx, where, alive, bounds)
    try {
      const own = alive.filter(({ id }) => id === seat.key)
      const { endpoint, probe } = admitted(call.server, await pick(ctx, call, own))
      return { endpoint, probe, seat }
    } catch (thrown) {
      endpoints.leave(seat, ctx.clock.now())
      throw thrown
    }
  }

  /** Who is kept out by what others said asks them again: nothing that ends here would tell. */
  function hearOthers(
    ctx: CallContext,
    server: ServerRecord,
    alive: readonly Endpoint[],
    max: number,
  ): void {
    for (const { id } of alive) {
      if (endpoints.running(id) >= max) continue
      const heard = load.refresh(ctx, id)
      if (heard) ctx.waitUntil(heard.then(() => endpoints.serve(id, server.id, ctx.clock.now())))
    }
  }

  async function line(
    ctx: CallContext,
    { call: { server }, signal = ctx.caller.signal, mayWait }: Where,
    alive: readonly Endpoint[],
    bounds: BulkheadBounds,
  ): Promise<Seat<EndpointId>> {
    const keys = alive.map(({ id }) => id)
    const waiting = { group: server.id, keys, who: ctx.facts.principal ?? '', signal }
    const standing =
      mayWait === false ? undefined : endpoints.wait(waiting, bounds, ctx.clock.now())
    hearOthers(ctx, server, alive, bounds.maxConcurrent)
    const waited = await standing
    if (waited?.kind === 'entered') return waited.seat
    throw noCapacity(`The server "${server.path}" has as many calls as it may have at once.`)
  }

  return {
    enterTenant(ctx, { tenant }) {
      return tenants.tryEnter(tenant, tenant, tenantBounds.maxConcurrent, ctx.clock.now())
    },

    async wait({ ctx, call: { server }, signal = ctx.caller.signal }) {
      const { tenant } = server
      const waiting = { group: tenant, keys: [tenant], who: ctx.facts.principal ?? '', signal }
      const waited = await tenants.wait(waiting, tenantBounds, ctx.clock.now())
      if (waited.kind === 'entered') return waited.seat
      throw noCapacity('Your organisation has as many calls as it may have at once.')
    },

    choose(ctx, where) {
      const bounds = where.call.isJudged ? where.policy?.bulkhead : undefined
      if (bounds) return pickRoomy(ctx, where, bounds)
      const picked = pick(ctx, where.call, candidates(where))
      return andThen(picked, (found) => admitted(where.call.server, found))
    },

    leave(ctx, seat) {
      endpoints.leave(seat, ctx.clock.now())
    },

    isElsewhere(ctx, { call, tried, policy }) {
      const max = policy?.bulkhead?.maxConcurrent
      const { server } = call
      return eligible(call).some(({ id }) => {
        if (tried.includes(id)) return false
        const isClosed = breakers.of(server).peek(id, ctx.clock.now()) === 'closed'
        return isClosed && (max === undefined || hasRoom(ctx, server, id, max))
      })
    },
  }
}

/** The endpoints that a call may go to. */
export function eligible({
  server,
  pinned,
}: Pick<Where['call'], 'server' | 'pinned'>): readonly Endpoint[] {
  return pinned === undefined
    ? server.endpoints
    : server.endpoints.filter(({ id }) => id === pinned)
}

function admitted(server: ServerRecord, picked: Picked): Picked & { readonly kind: 'endpoint' } {
  if (picked.kind === 'endpoint') return picked
  throw unavailable(server, picked.retryAfterSeconds)
}

function unavailable(server: ServerRecord, retryAfterSeconds: number): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    `The server "${server.path}" is failing; the gateway tries it again in ${retryAfterSeconds} s.`,
    retryIn(retryAfterSeconds),
  )
}

function noCapacity(message: string): GatewayError {
  return new GatewayError('no_capacity', message, retryIn(RETRY_SECONDS))
}
