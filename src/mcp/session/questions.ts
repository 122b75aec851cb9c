import type { CallContext, ServerId } from '../../core/index.ts'
import { crosses } from '../bridge/crossing.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { RawId } from '../wire/reply.ts'
import { idScope } from './id-scope.ts'
import type { InFlight, InFlightCall, Running } from './in-flight.ts'

/** Within what a client was asked, and by which server. */
export type Asking = Pick<InFlightCall, 'scope' | 'session' | 'server'>

/** What a client may answer: a request by its id, or progress under a token. */
export type QuestionKind = 'id' | 'token'

/** A request whose server is heard asking. */
export interface Heard {
  readonly outgoing: Outgoing
  /** The request is over: what it asked can be answered no more. */
  forget(): void
}

const NOTHING = (): void => undefined

/** A server that asks more within one request is talking to itself. */
const MAX_QUESTIONS = 100

/**
 * Notes what a server without sessions asks its client on a shared endpoint while it answers a
 * request. Such a server tells its clients apart by the ids of its questions alone, so an answer to
 * somebody else's must not reach it.
 */
export function hearQuestions(
  ctx: CallContext,
  inFlight: InFlight,
  outgoing: Outgoing,
  requestId: RawId,
): Heard {
  const { inbound, target, session, shared } = outgoing
  if (!shared || session || inbound.era === 'modern' || crosses(target.server.upstream, 'legacy'))
    return { outgoing, forget: NOTHING }
  const { names } = shared
  const call = { ...idScope(outgoing), server: target.server.id }
  const open: Running[] = []
  const note = (kind: QuestionKind, raw: RawId): void => {
    if (open.length >= MAX_QUESTIONS) return
    const clientId = JSON.stringify(keyOf(call.server, kind, raw))
    // Its own, so that forgetting it forgets nothing else.
    const upstreamId = JSON.stringify([requestId, kind, raw])
    open.push(inFlight.add(ctx, { ...call, clientId, upstreamId }))
  }
  return {
    outgoing: {
      ...outgoing,
      shared: {
        ...shared,
        names: {
          ...names,
          serverRequestId(raw) {
            note('id', raw)
            return names.serverRequestId(raw)
          },
          progressToken(raw) {
            note('token', raw)
            return names.progressToken(raw)
          },
        },
      },
    },
    forget() {
      for (const one of open.splice(0)) one.forget()
    },
  }
}

/** Whether the server asked this within a request that still runs. */
export async function wasAsked(
  inFlight: InFlight,
  { server, ...where }: Asking,
  kind: QuestionKind,
  raw: RawId,
): Promise<boolean> {
  return (await inFlight.find(where, keyOf(server, kind, raw))) !== undefined
}

/** A list, and so never the id of a client's own request. */
function keyOf(server: ServerId, kind: QuestionKind, raw: RawId): readonly unknown[] {
  return ['asked', server, kind, JSON.parse(raw)]
}
