import type { CallContext } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { type Actor, decide } from '../../policy/index.ts'
import type { ServerRecord, TenantSnapshot } from '../../registry/index.ts'
import type { ClientLines } from '../bridge/client-lines.ts'
import { crosses } from '../bridge/crossing.ts'
import type { InboundNotification, InboundResponse } from '../eras.ts'
import { cancelText, type SendOneWay } from '../relay/relay-message.ts'
import type { InFlight } from '../session/in-flight.ts'
import { type QuestionKind, wasAsked } from '../session/questions.ts'
import { sessionRequired } from '../session/session-rules.ts'
import type { SharedSession } from '../session/sessions.ts'
import { tellAll } from '../upstream/courtesy.ts'
import { replaceMember } from '../wire/edit-members.ts'
import { acceptedReply, type RawId } from '../wire/reply.ts'
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
  readonly lines: ClientLines
  readonly sharedSessions: SharedSessions
  readonly inFlight: InFlight
  readonly events: Events
  readonly sendOneWay: SendOneWay
}

/** A message as the server that it is for must see it, and the server's path. */
interface Addressed {
  readonly server: string
  readonly text: string
  /** Our id of the request that is cancelled, raw JSON. */
  readonly cancels?: RawId
  /** What it answers, where it answers something: raw JSON, as the server wrote it. */
  readonly answers?: { readonly kind: QuestionKind; readonly raw: RawId }
}

/**
 * Passes a legacy client's message on to the server it is for, or, where it is for all, to those
 * with an upstream session, waiting at most 5 s for each: 202. What is for nobody, or for a server
 * that its sender may not use (any more), is dropped without a word about which. Nothing of this
 * opens an upstream session: where none is open, nobody can have asked.
 */
export function createSharedOneWay(deps: SharedOneWayDeps) {
  return async function relaySharedOneWay(
    ctx: CallContext,
    message: SharedOneWay,
  ): Promise<Response> {
    const { inbound, session } = message
    if (inbound.era === 'modern') return acceptedReply()
    if (!session) throw sessionRequired()
    if (inbound.kind === 'notification' && FOR_ALL.has(inbound.method)) {
      await tellEveryone(deps, ctx, message, session)
    } else {
      const addressed = await addressee(deps, ctx, message, session)
      if (addressed) await tell(deps, ctx, message, session, addressed)
    }
    return acceptedReply()
  }
}

const FOR_ALL: ReadonlySet<string> = new Set(['notifications/roots/list_changed'])

async function tellEveryone(
  deps: SharedOneWayDeps,
  ctx: CallContext,
  message: SharedOneWay,
  session: SharedSession,
): Promise<void> {
  const { text } = message.inbound
  await tellAll(
    await deps.sharedSessions.opened(session),
    ({ path: server }, tooLong) => {
      const within = { ...ctx, caller: { signal: AbortSignal.any([ctx.caller.signal, tooLong]) } }
      return tell(deps, within, message, session, { server, text })
    },
    (thrown) => emitFault(deps.events, ctx, 'shared.one-way', thrown),
  )
}

async function tell(
  deps: SharedOneWayDeps,
  ctx: CallContext,
  { actor, snapshot }: SharedOneWay,
  session: SharedSession,
  { server, text, answers, cancels }: Addressed,
): Promise<void> {
  const record = await snapshot.server(ctx, server)
  if (!record || !mayTell(actor, record)) return
  const { lines } = deps
  if (answers?.kind === 'id' && (await lines.answer(session.key, JSON.parse(answers.raw), text))) {
    return
  }
  if (crosses(record.upstream, 'legacy')) {
    if (cancels !== undefined) await lines.cancel(session.key, JSON.parse(cancels))
    // Another isolate may have settled it, and opened a session.
    if (record.upstream.legacy !== 'untried') return
  }
  const leg = await deps.sharedSessions.openLeg(session, record)
  if (!leg) return
  if (answers && !leg.session) {
    const asking = { scope: session.key, session: session.key, server: record.id }
    if (!(await wasAsked(deps.inFlight, asking, answers.kind, answers.raw))) return
  }
  await deps.sendOneWay(ctx, {
    text,
    version: leg.version,
    target: { actor, server: record },
    ...(leg.session ? { session: leg.session } : {}),
  })
}

function mayTell(actor: Actor, server: ServerRecord): boolean {
  return server.enabled && decide(actor, server, 'notifications/message').kind === 'allow'
}

/** Undefined for what is for nobody. */
async function addressee(
  deps: SharedOneWayDeps,
  ctx: CallContext,
  { inbound, snapshot }: SharedOneWay,
  session: SharedSession,
): Promise<Addressed | undefined> {
  const { text } = inbound
  if (inbound.kind === 'response') return restored(text, 'id', ['id'], JSON.parse(text).id)
  switch (inbound.method) {
    case 'notifications/cancelled': {
      const where = { scope: session.key, session: session.key }
      const call = await deps.inFlight.find(where, inbound.params['requestId'])
      if (!call) return undefined
      const server = (await snapshot.index(ctx)).find(({ id }) => id === call.server)
      const own = cancelText(inbound, call.upstreamId)
      return server && { server: server.path, text: own, cancels: call.upstreamId }
    }
    case 'notifications/progress':
      return restored(text, 'token', ['params', 'progressToken'], inbound.params['progressToken'])
    default:
      return undefined
  }
}

/** The message as its server wrote the id or token that we had put its name in front of. */
function restored(
  text: string,
  kind: QuestionKind,
  at: readonly string[],
  value: unknown,
): Addressed | undefined {
  const id = originalId(value)
  if (!id) return undefined
  const { server, raw } = id
  return { server, text: replaceMember(text, at, raw), answers: { kind, raw } }
}
