import type { CallContext } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { type Actor, decide } from '../../policy/index.ts'
import type { ServerRecord, TenantSnapshot } from '../../registry/index.ts'
import type { InboundNotification, InboundResponse } from '../eras.ts'
import type { OneWay } from '../relay-message.ts'
import { sessionRequired } from '../relay-request.ts'
import type { InFlight } from '../session/in-flight.ts'
import type { SharedSession } from '../session/sessions.ts'
import { replaceMember } from '../wire/replace-member.ts'
import { acceptedReply } from '../wire/reply.ts'
import { originalId } from './naming.ts'
import type { SharedSessions } from './sessions.ts'

/** A message without an answer, at a shared endpoint. */
export interface SharedOneWay {
  readonly actor: Actor
  readonly snapshot: TenantSnapshot
  readonly inbound: InboundNotification | InboundResponse
  readonly session?: SharedSession
}

export interface SharedOneWayDeps {
  readonly sharedSessions: SharedSessions
  readonly inFlight: InFlight
  readonly events: Events
  readonly relayOneWay: (ctx: CallContext, message: OneWay) => Promise<Response>
}

/** A message and the server it is for: a path, or the id that a session knows it by. */
interface Addressed {
  readonly server: string
  readonly text: string
}

/**
 * Passes a legacy client's message on to the server it is for, or, where it is for all, to those
 * with an upstream session: 202. What is for nobody, or for a server that its sender may not use
 * (any more), is dropped without a word about which.
 */
export function createSharedOneWay(deps: SharedOneWayDeps) {
  return async function relaySharedOneWay(
    ctx: CallContext,
    message: SharedOneWay,
  ): Promise<Response> {
    const { inbound, session } = message
    if (inbound.era === 'modern') return acceptedReply()
    if (!session) throw sessionRequired()
    const all = await addressees(deps, ctx, message, session)
    for (const addressed of all) {
      try {
        await tell(deps, ctx, message, session, addressed)
      } catch (thrown) {
        // One server that does not take what is for all must not keep it from the others.
        if (all.length === 1) throw thrown
        emitFault(deps.events, ctx, 'shared.one-way', thrown)
      }
    }
    return acceptedReply()
  }
}

async function tell(
  deps: SharedOneWayDeps,
  ctx: CallContext,
  { actor, snapshot, inbound }: SharedOneWay,
  session: SharedSession,
  { server, text }: Addressed,
): Promise<void> {
  const record = await snapshot.server(ctx, server)
  if (!record || !mayTell(actor, record)) return
  const leg = await deps.sharedSessions.leg(ctx, session, record)
  await deps.relayOneWay(ctx, {
    inbound: { ...inbound, text, version: leg.version },
    target: { actor, server: record },
    ...(leg.session ? { session: leg.session } : {}),
  })
}

function mayTell(actor: Actor, server: ServerRecord): boolean {
  return server.enabled && decide(actor, server, 'notifications/message').kind === 'allow'
}

async function addressees(
  deps: SharedOneWayDeps,
  ctx: CallContext,
  { inbound, snapshot }: SharedOneWay,
  session: SharedSession,
): Promise<Addressed[]> {
  const { text } = inbound
  if (inbound.kind === 'response') return restored(text, ['id'], JSON.parse(text).id)
  switch (inbound.method) {
    case 'notifications/cancelled': {
      const where = { scope: session.key, session: session.key }
      const call = await deps.inFlight.find(where, inbound.params['requestId'])
      if (!call) return []
      // The one-way relay puts the upstream's id in, as it does for a single server.
      const server = (await snapshot.index(ctx)).find(({ id }) => id === call.server)
      return server ? [{ server: server.path, text }] : []
    }
    case 'notifications/progress':
      return restored(text, ['params', 'progressToken'], inbound.params['progressToken'])
    case 'notifications/roots/list_changed': {
      const opened = new Set(
        (await deps.sharedSessions.opened(session)).map(({ server }) => server),
      )
      const servers = (await snapshot.index(ctx)).filter(({ id }) => opened.has(id))
      return servers.map(({ path }) => ({ server: path, text }))
    }
    default:
      return []
  }
}

/** The message as its server wrote the id or token that we had put its name in front of. */
function restored(text: string, at: readonly string[], value: unknown): Addressed[] {
  const id = originalId(value)
  return id ? [{ server: id.server, text: replaceMember(text, at, id.raw) }] : []
}
