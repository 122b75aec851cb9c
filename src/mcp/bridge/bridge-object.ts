import { DurableObject } from 'cloudflare:workers'
import type { Clock, OutboundResult } from '../../core/index.ts'
import { cancelRequest } from '../relay/relay-message.ts'
import type { Busy, Opening, OpenSessionInput } from '../session/session-state.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import { faultResponse, withoutFault } from '../wire/fault-header.ts'
import { type Messages, openMessages } from '../wire/read-messages.ts'
import { resumedMessages } from '../wire/resumed-messages.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import { type BridgeStub, BUSY_HEADER, HeldCall, ResumedCall } from './bridge-state.ts'
import { createKeptSession, type Kept, type KeptSession } from './kept-session.ts'
import { createLateMessages, type LateMessages } from './late-messages.ts'
import { mayAnswer } from './modern-answer.ts'
import { createParkedCall, type ParkedCall } from './parked-call.ts'
import { writeState } from './parked-state.ts'
import { openSessionStream, type SessionStream } from './session-stream.ts'
import { createSessionVoice } from './session-voice.ts'
import { takeUp } from './take-up.ts'

/** An object without events may be put away after about a minute, and with it what it reads. */
const STAY_MS = 30_000
/** A person has to read a form and fill it in; then the call is cancelled. */
const MAX_PARKED_MS = 15 * 60_000
/** No request of a modern client takes longer: what is unused for so long is used by nobody. */
const IDLE_MS = 2 * 60 * 60_000
/** Of one client at one server. */
const MAX_CALLS = 200
/** Whoever reads it may have vanished without a word: no answer takes longer (an hour), waits aside. */
const MAX_CALL_MS = 2 * 60 * 60_000

interface Live {
  readonly call: ParkedCall
  readonly held: HeldCall
  readonly startedAt: number
  /** It has at least begun to. */
  hasAnswered: boolean
  parkedAt?: number
}

export interface BridgeObjectDeps {
  readonly clock: Clock
  outbound(): UpstreamOutbound
  /** Ends a session that nobody uses any more. Never rejects. */
  close(kept: Kept, waitUntil: (work: Promise<unknown>) => void): Promise<void>
}

/** @see BridgeStub */
export function createBridgeObject(deps: BridgeObjectDeps) {
  return class BridgeObject extends DurableObject implements Omit<BridgeStub, 'fetch'> {
    readonly #calls = new Map<string, Live>()
    /** Calls whose server has not answered yet. */
    readonly #sending = new Map<string, AbortController>()
    /** Levels that calls want logged, from before they are sent. */
    readonly #levels = new Map<string, string | undefined>()
    #stream: SessionStream | undefined
    readonly #voice = createSessionVoice(deps.outbound)
    #usedAt = 0
    readonly #waitUntil = (work: Promise<unknown>): void => this.ctx.waitUntil(work)
    readonly #session = createKeptSession({
      kv: this.ctx.storage.kv,
      outbound: deps.outbound,
      onGone: async () => {
        const stream = this.#stream
        this.#stream = undefined
        this.#voice.forget()
        await stream?.stop()
      },
    })

    async session(
      of: Parameters<KeptSession['open']>[0],
      input: OpenSessionInput,
      goneId?: string,
    ): Promise<Opening> {
      await this.touch()
      return this.#session.open(of, input, goneId)
    }

    async move(
      of: Parameters<KeptSession['open']>[0],
      input: OpenSessionInput,
      leftId: string,
    ): Promise<Opening | Busy> {
      return this.#levels.size > 0 ? { kind: 'busy' } : this.session(of, input, leftId)
    }

    async touch(): Promise<void> {
      this.#usedAt = deps.clock.now()
      if (this.#calls.size === 0) await this.ctx.storage.setAlarm(this.#usedAt + IDLE_MS)
    }

    async cancel(callId: string): Promise<void> {
      this.#sending.get(callId)?.abort()
      const live = this.#calls.get(callId)
      if (live && !live.call.isParked()) await this.#end(live)
    }

    async drop(callId: string): Promise<void> {
      const live = this.#calls.get(callId)
      this.#calls.delete(callId)
      this.#levels.delete(callId)
      await live?.call.stop()
    }

    override async fetch(request: Request): Promise<Response> {
      const body: unknown = await request.json()
      await this.touch()
      return new URL(request.url).pathname === '/resume'
        ? this.#resume(ResumedCall.parse(body))
        : this.#call(HeldCall.parse(body))
    }

    override async alarm(): Promise<void> {
      const now = deps.clock.now()
      for (const live of this.#calls.values()) {
        const isForgotten = now - (live.parkedAt ?? now) > MAX_PARKED_MS
        if (isForgotten || now - live.startedAt > MAX_CALL_MS) await this.#end(live)
      }
      if (this.#calls.size > 0) {
        await this.ctx.storage.setAlarm(now + STAY_MS)
      } else if (now - this.#usedAt >= IDLE_MS) {
        await this.#close()
      } else {
        await this.ctx.storage.setAlarm(this.#usedAt + IDLE_MS)
      }
    }

    async #call(held: HeldCall): Promise<Response> {
      if (this.#levels.size >= MAX_CALLS) {
        return new Response(null, { status: 429, headers: { [BUSY_HEADER]: 'calls' } })
      }
      this.#levels.set(held.callId, held.logLevel)
      try {
        return await this.#begin(held)
      } finally {
        if (!this.#calls.has(held.callId)) {
          this.#levels.delete(held.callId)
          await this.#quiet()
        }
      }
    }

    async #begin(held: HeldCall): Promise<Response> {
      await this.#voice.setLevel(held, this.#levels.values())
      // Before the call: what the server asks on it would be lost.
      this.#stream ??= openSessionStream({
        outbound: deps.outbound(),
        held,
        youngest: () => this.#youngest(),
        everyone: () => [...this.#calls.values()].map(({ call }) => call),
        post: (text) => this.#voice.post(held, text),
        waitUntil: this.#waitUntil,
      })
      await this.#stream.opened
      const late = createLateMessages()
      const { live, parked } = await this.#enter(held, late.messages)
      const running = live.call.run().then(() => this.#over(held.callId))
      // Read by nobody, the stream and the object would be lost.
      this.#waitUntil(running)
      const sending = this.#send(held).then((sent) => this.#arrived(live, late, sent))
      this.#waitUntil(sending)
      // A server that answers all at once may ask before it says a word.
      const refusal = await Promise.race([sending, parked, running])
      if (refusal) return refusal
      if (live.call.isOver() && !live.hasAnswered) {
        this.#sending.get(held.callId)?.abort()
        return faultResponse('timeout')
      }
      return streamed(live.call.events)
    }

    /** The response that is no answer, for whoever asked. */
    async #arrived(
      live: Live,
      late: LateMessages,
      sent: OutboundResult,
    ): Promise<Response | undefined> {
      const { held, call } = live
      if (sent.kind === 'response' && sent.response.body && mayAnswer(sent.response)) {
        const { body, headers } = sent.response
        const messages = openMessages(body, headers.get('content-type'), MAX_BRIDGED_BYTES)
        const resume = (lastEventId: string) => takeUp(deps.outbound(), held, lastEventId)
        live.hasAnswered = true
        late.arrive(resumedMessages(messages, { resume }))
        return undefined
      }
      this.#calls.delete(held.callId)
      await call.stop()
      if (sent.kind === 'response') return withoutFault(sent.response)
      // It may have got the call, and be at it.
      if (sent.fault !== 'cancelled') await this.#voice.post(held, cancelRequest(held.upstreamId))
      return faultResponse(sent.fault)
    }

    /** The call that a question is for, as far as anybody can tell; one that waits asks nothing. */
    #youngest(): ParkedCall | undefined {
      const calls = [...this.#calls.values()].map(({ call }) => call)
      return calls.findLast((call) => !call.isParked()) ?? calls.at(-1)
    }

    async #send(held: HeldCall): Promise<OutboundResult> {
      const { callId, url, endpoint, transport, headers, body, timeoutMs } = held
      const leaving = new AbortController()
      this.#sending.set(callId, leaving)
      try {
        return await deps.outbound().send({
          ...{ url, endpoint, transport, method: 'POST', body },
          // Its own time is counted by who listens: none of it passes while its client is asked.
          timeoutMs: timeoutMs + MAX_PARKED_MS,
          headers: new Headers(headers),
          signal: leaving.signal,
        })
      } finally {
        this.#sending.delete(callId)
      }
    }

    async #enter(
      held: HeldCall,
      messages: Messages,
    ): Promise<{ readonly live: Live; readonly parked: Promise<void> }> {
      const { callId, upstreamId, timeoutMs } = held
      const { method, serverInfo, capabilities, logLevel } = held
      const view = { method, serverInfo, capabilities }
      let onParked: () => void = () => undefined
      const parked = new Promise<void>((resolve) => {
        onParked = resolve
      })
      const call = createParkedCall({
        ...{ callId, upstreamId, timeoutMs, messages },
        view: logLevel === undefined ? view : { ...view, logLevel },
        clock: deps.clock,
        state: writeState({ bridge: held.bridge, callId, endpoint: held.endpoint }),
        post: (text) => this.#voice.post(held, text),
        onParked: () => {
          live.parkedAt = deps.clock.now()
          onParked()
        },
        onLeft: () => this.#waitUntil(this.cancel(callId)),
      })
      const live: Live = { call, held, startedAt: deps.clock.now(), hasAnswered: false }
      this.#calls.set(callId, live)
      await this.ctx.storage.setAlarm(deps.clock.now() + STAY_MS)
      return { live, parked }
    }

    async #resume({ callId, inputs, upstreamId }: ResumedCall): Promise<Response> {
      const live = this.#calls.get(callId)
      if (!live?.call.isParked()) return new Response(null, { status: 410 })
      delete live.parkedAt
      const events = await live.call.resume(inputs, upstreamId)
      // The answer came while the client was away.
      if (live.call.isOver()) await this.#over(callId)
      return streamed(events)
    }

    /** An answer that nobody has fetched stays until its client comes, or time is up. */
    async #over(callId: string): Promise<void> {
      const live = this.#calls.get(callId)
      if (live?.parkedAt !== undefined) return
      this.#calls.delete(callId)
      this.#levels.delete(callId)
      await this.#quiet()
    }

    async #end({ call, held }: Live): Promise<void> {
      this.#calls.delete(held.callId)
      this.#levels.delete(held.callId)
      // Before its stream is closed: afterwards nobody may know the call any more.
      await this.#voice.post(held, cancelRequest(held.upstreamId))
      await call.stop()
      await this.#quiet()
    }

    /** Without a call there is nobody whom the server could ask. */
    async #quiet(): Promise<void> {
      if (this.#levels.size > 0) return
      const stream = this.#stream
      this.#stream = undefined
      await stream?.stop()
      await this.touch()
    }

    async #close(): Promise<void> {
      const kept = this.#session.kept()
      await this.ctx.storage.deleteAll()
      if (kept && kept.session.upstreamId !== '') await deps.close(kept, this.#waitUntil)
    }
  }
}

function streamed(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}
