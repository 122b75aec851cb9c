import type { CallContext } from '../../core/index.ts'
import { balanceKey } from '../relay/balance-key.ts'
import { buildCall, callDeadline } from '../relay/build-call.ts'
import type { Judgement } from '../relay/end-of-call.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import { eventResponse, messageEvent } from '../wire/write-messages.ts'
import type { ClientLines } from './client-lines.ts'
import {
  conversation,
  type Events,
  type LegacyAsking,
  openAnswer,
  type SendRound,
  type Talk,
} from './conversation.ts'
import { type ClientFace, modernRequest } from './to-modern.ts'

export interface AskModernDeps {
  readonly upstreams: Upstreams
  readonly lines: ClientLines
}

/** What came of it. Who has cancelled a request gets no response to it. */
export type ModernAnswer = { readonly kind: 'cancelled' } | TalkedAnswer

interface TalkedAnswer extends UpstreamAnswer {
  readonly kind: 'answer'
  readonly isBridged: true
  readonly isCancelled: () => boolean
  readonly judgement: () => Judgement
}

/**
 * Asks a modern server for a legacy client, and answers as a legacy server would: what the server
 * wants to know becomes requests on the stream, whose answers it gets with the request once more.
 * Throws what `Upstreams.send` throws.
 */
export function createAskModern({ upstreams, lines }: AskModernDeps) {
  return async function askModern(ctx: CallContext, asking: LegacyAsking): Promise<ModernAnswer> {
    const { outgoing, client, upstreamId } = asking
    const face: ClientFace = {
      hello: client.hello,
      ...(asking.logLevel === undefined ? {} : { logLevel: asking.logLevel }),
    }
    const callId = String(JSON.parse(upstreamId))
    const line = lines.open(ctx, client.key, callId)
    const within = {
      ...ctx,
      caller: { signal: AbortSignal.any([ctx.caller.signal, line.cancelled]) },
    }
    const { target } = outgoing
    const deadline = callDeadline(target.server, outgoing.inbound)
    let last: UpstreamAnswer | undefined
    let isJudged = true
    const send: SendRound = async (inbound, id, first) => {
      isJudged = true
      last = await upstreams.send(within, {
        ...buildCall({ inbound, headers: new Headers(), target }, id, { deadline })(),
        ...(first
          ? { pinned: first.endpoint.id, isAdmitted: true }
          : { key: balanceKey(outgoing) }),
      })
      // A refusal was told to the breaker when it came.
      isJudged = !last.response.ok
      return last
    }
    // Each round by itself: a person may think for long, and others want to know meanwhile.
    const onAnswered = (): void => {
      if (last && !isJudged) upstreams.reportSound(ctx, last.endpoint.id, last.probe)
      isJudged = true
    }
    const onBounded = (): void => {
      if (last && !isJudged) upstreams.reportLeft(ctx, last.endpoint.id, last.probe)
      isJudged = true
    }
    /** What ended without an answer of its server, though it was begun, is none. */
    function judgement(isCancelled: boolean): Judgement {
      if (isJudged) return 'told'
      return isCancelled ? 'sound' : 'broken'
    }
    try {
      const inbound = modernRequest(outgoing.inbound, face)
      const first = await send(inbound, upstreamId)
      const told = { onAnswered, onBounded }
      const response = await talk({ ctx, line, asking, inbound, send, first, deadline, ...told })
      return {
        ...{ kind: 'answer', isBridged: true, endpoint: first.endpoint, response },
        // Later rounds are let through with it.
        probe: first.probe,
        isCancelled: () => line.cancelled.aborted,
        judgement: () => judgement(line.cancelled.aborted),
        // Of the round that runs: those before it are over.
        end: () => last?.end(),
        lateAfterMs: () => last?.lateAfterMs?.(),
      }
    } catch (thrown) {
      last?.end()
      // What let the call through waits to hear of it.
      if (last && !isJudged) {
        if (within.caller.signal.aborted) upstreams.reportLeft(ctx, last.endpoint.id, last.probe)
        else upstreams.reportBroken(ctx, last.endpoint.id, last.probe)
      }
      line.close()
      if (line.cancelled.aborted) return { kind: 'cancelled' }
      throw thrown
    }
  }
}

async function talk(of: Talk): Promise<Response> {
  const { response } = of.first
  const opened = await openAnswer(response, of.asking.outgoing)
  if (!opened) {
    of.line.close()
    return new Response(null, { status: response.status })
  }
  const events = conversation(of, opened.messages)
  if (opened.isStream) return streamed(of, events)
  // One message, which is the answer more often than not.
  const first = await events.next()
  if (first.done === true && first.value !== undefined) {
    of.line.close()
    return new Response(first.value, { headers: { 'content-type': 'application/json' } })
  }
  return streamed(of, events, first.done === true ? undefined : first.value)
}

function streamed({ ctx, line }: Talk, events: Events, first?: Uint8Array): Response {
  let pending = first
  let isOver = false
  return eventResponse(
    async () => {
      if (pending) {
        const bytes = pending
        pending = undefined
        return bytes
      }
      if (isOver) return undefined
      const { done, value } = await events.next()
      if (done !== true) return value
      isOver = true
      line.close()
      return value === undefined ? undefined : messageEvent(value)
    },
    () => {
      line.abandon()
      // Where it waits to be read on, it would never come to its end.
      ctx.waitUntil(events.return(undefined))
    },
  )
}
