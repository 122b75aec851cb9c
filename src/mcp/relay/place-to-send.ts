import { type CallContext, GatewayError } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import type { Running } from '../session/in-flight.ts'
import type { Place, Recovery } from '../session/session-state.ts'
import { type LegacySession, type Sessions, sessionNotFound } from '../session/sessions.ts'
import type { Upstreams } from '../upstream/send.ts'
import { hasLogging } from '../upstream/set-log-level.ts'
import type { Target } from './target.ts'

export interface PlaceToSendDeps {
  readonly upstreams: Upstreams
  /** Those that cannot move stay where they are. */
  readonly sessions: Pick<Sessions, 'placeOf'> &
    Partial<Pick<Sessions, 'findPlace' | 'askPlace' | 'move'>>
}

/** What is to be sent in a session; `running` is its own entry among the requests in flight. */
export interface InSession {
  readonly target: Target
  readonly session: LegacySession
  readonly running?: Running | undefined
}

type Reopened = Extract<Recovery, { kind: 'reopened' }>

/**
 * Where a message of the session goes; no promise while it can stay where it is known to be.
 *
 * When that endpoint is registered no more, or its breaker was open before anything was sent, the
 * session is opened on another one, once for all isolates, provided nothing of it is in flight:
 * what may have run is never sent twice. Otherwise the session stays, and sending says why not.
 * Throws `session_not_found`, and what opening a session throws.
 */
export function placeToSend(
  ctx: CallContext,
  deps: PlaceToSendDeps,
  inSession: InSession,
): Place | Promise<Place> {
  const { sessions } = deps
  const { target, session, running } = inSession
  const { endpoints } = target.server
  const known = sessions.placeOf(session)
  // Where there is no elsewhere nobody has to be asked.
  if (endpoints.length === 1 && endpoints[0]?.id === known.endpoint) return known
  const place = sessions.findPlace?.(ctx, session) ?? known
  if (!(place instanceof Promise) && isUsable(ctx, deps, target.server, place)) return place
  // Until it is sent it is not in flight, and must not keep others from moving the session. At once:
  // those that came with it look at the same time.
  running?.wait()
  return usablePlace(ctx, deps, inSession, place).finally(() => running?.goOn())
}

async function usablePlace(
  ctx: CallContext,
  deps: PlaceToSendDeps,
  { session, target: { server } }: InSession,
  known: Place | Promise<Place>,
): Promise<Place> {
  const place = await known
  if (isUsable(ctx, deps, server, place)) return place
  const moved = await elsewhere(ctx, deps, server, session)
  if (moved) return moved
  if (!isRegistered(server, place)) throw sessionNotFound()
  return place
}

/** Undefined when the session cannot leave. */
async function elsewhere(
  ctx: CallContext,
  deps: PlaceToSendDeps,
  server: ServerRecord,
  session: LegacySession,
): Promise<Place | undefined> {
  const { askPlace, move } = deps.sessions
  if (!askPlace || !move || !session.hello) return undefined
  // Another isolate may have been faster; asked before a breaker is, which has few permits.
  const place = await askPlace(ctx, session)
  if (isUsable(ctx, deps, server, place)) return place
  const endpoints = server.endpoints.filter(({ id }) => id !== place.endpoint)
  if (endpoints.length === 0) return undefined
  const moved = await open(ctx, deps, { ...server, endpoints }, session, place, move)
  // Who opened it: nobody must go on at the endpoint that was left, should it come back.
  if (moved?.outcome) {
    ctx.waitUntil(deps.upstreams.close(server, place.endpoint, place.upstreamId))
  }
  return moved
}

async function open(
  ctx: CallContext,
  { upstreams }: PlaceToSendDeps,
  server: ServerRecord,
  session: LegacySession,
  from: Place,
  move: Sessions['move'],
): Promise<Reopened | undefined> {
  const { path, transport, headers: custom, timeoutMs } = server
  const where = { server, key: () => session.key }
  const moving = await upstreams.open(ctx, where, ({ id: endpoint, url }) => {
    const address = { endpoint, transport, url, custom, timeoutMs }
    const holder = ctx.facts.principal
    const input = { server: path, ...address, hasLogging: hasLogging(server), holder }
    return move(ctx, session, from, input)
  })
  if (moving.kind === 'busy') return undefined
  if (moving.kind === 'failed') throw new GatewayError(moving.code, moving.message)
  return moving
}

function isRegistered(server: ServerRecord, { endpoint }: Place): boolean {
  return server.endpoints.some(({ id }) => id === endpoint)
}

function isUsable(
  ctx: CallContext,
  { upstreams }: PlaceToSendDeps,
  server: ServerRecord,
  place: Place,
): boolean {
  return isRegistered(server, place) && !upstreams.isOpen(ctx, place.endpoint)
}
