import { DurableObject } from 'cloudflare:workers'
import type { Clock, OutboundResult } from '../../core/index.ts'
import { isLogLevel, leastSevere } from '../log-levels.ts'
import { cancelRequest } from '../relay/relay-message.ts'
import type { Opening, OpenSessionInput } from '../session/session-state.ts'
import { COURTESY_MS } from '../upstream/courtesy.ts'
import { hopTwoHeaders } from '../upstream/headers.ts'
import { setLogLevel } from '../upstream/set-log-level.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import { faultResponse, withoutFault } from '../wire/fault-header.ts'
import { openMessages } from '../wire/read-messages.ts'
import { resumedMessages } from '../wire/resumed-messages.ts'
import { MAX_BRIDGED_BYTES } from './bounds.ts'
import { type BridgeStub, BUSY_HEADER, HeldCall, ResumedCall } from './bridge-state.ts'
import { createKeptSession, type Kept, type KeptSession } from './kept-session.ts'
import { mayAnswer } from './modern-answer.ts'
import { createParkedCall, type ParkedCall } from './parked-call.ts'
import { writeState } from './parked-state.ts'
import { openSessionStream, type SessionStream } from './session-stream.ts'
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
    /** As it was set last, of the session that is open. */
    #level: string | undefined
    #levelling: Promise<void> = Promise.resolve()
    #usedAt = 0
    readonly #waitUntil = (work: Promise<unknown>): void => this.ctx.waitUntil(work)
    readonly #session = createKeptSession({
      kv: this.ctx.storage.kv,
      outbound: deps.outbound,
      onGone: async () => {
        const stream = this.#stream
        this.#stream = undefined
        this.#level = undefined
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
      // One after the other: a call is sent when its level holds.
      this.#levelling = this.#levelling.then(() => this.#setLevel(held)).catch(() => undefined)
      await this.#levelling
      // Before the call: what the server asks on it would be lost.
      this.#stream ??= openSessionStream({
        outbound: deps.outbound(),
        held,
        youngest: () => [...this.#calls.values()].at(-1)?.call,
        everyone: () => [...this.#calls.values()].map(({ call }) => call),
        post: (text) => this.#post(held, text),
        waitUntil: this.#waitUntil,
      })
      await this.#stream.opened
      const sent = await this.#send(held)
      if (sent.kind === 'fault') {
        // It may have got the call, and be at it.
        await this.#post(held, cancelRequest(held.upstreamId))
        return faultResponse(sent.fault)
      }
      const { response } = sent
      const { body } = response
      return body && mayAnswer(response)
        ? streamed(await this.#hold(held, response, body))
        : withoutFault(response)
    }

    async #send(held: HeldCall): Promise<OutboundResult> {
      const { callId, url, endpoint, transport, headers, body, timeoutMs } = held
      const leaving = new AbortController()
      this.#sending.set(callId, leaving)
      try {
        return await deps.outbound().send({
          ...{ url, endpoint, transport, method: 'POST', body, timeoutMs },
          headers: new Headers(headers),
          signal: leaving.signal,
        })
      } finally {
        this.#sending.delete(callId)
      }
    }

    async #hold(
      held: HeldCall,
      response: Response,
      body: ReadableStream<Uint8Array>,
    ): Promise<ReadableStream<Uint8Array>> {
      const { callId, upstreamId, timeoutMs } = held
      const { method, serverInfo, capabilities, logLevel } = held
      const view = { method, serverInfo, capabilities }
      const type = response.headers.get('content-type')
      const call = createParkedCall({
        ...{ callId, upstreamId, timeoutMs },
        view: logLevel === undefined ? view : { ...view, logLevel },
        clock: deps.clock,
        messages: resumedMessages(openMessages(body, type, MAX_BRIDGED_BYTES), {
          resume: (lastEventId) => takeUp(deps.outbound(), held, lastEventId),
        }),
        state: writeState({ bridge: held.bridge, callId, endpoint: held.endpoint }),
        post: (text) => this.#post(held, text),
        onParked: () => {
          live.parkedAt = deps.clock.now()
        },
        onLeft: () => this.#waitUntil(this.cancel(callId)),
      })
      const live: Live = { call, held, startedAt: deps.clock.now() }
      this.#calls.set(callId, live)
      await this.ctx.storage.setAlarm(deps.clock.now() + STAY_MS)
      // Read by nobody, the stream and the object would be lost.
      this.ctx.waitUntil(call.run().then(() => this.#over(callId)))
      return call.events
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
      await this.#post(held, cancelRequest(held.upstreamId))
      await call.stop()
      await this.#quiet()
    }

    /** Without a call there is nobody whom the server could ask. */
    async #quiet(): Promise<void> {
      if (this.#calls.size > 0) return
      const stream = this.#stream
      this.#stream = undefined
      await stream?.stop()
      await this.touch()
    }

    async #post(held: HeldCall, text: string): Promise<boolean> {
      const { url, endpoint, transport, custom, sessionId, version } = held
      const sent = await deps.outbound().send({
        ...{ url, endpoint, transport, method: 'POST', body: text, timeoutMs: COURTESY_MS },
        headers: hopTwoHeaders({ custom, version, sessionId }),
      })
      if (sent.kind === 'fault') return false
      await sent.response.body?.cancel()
      return sent.response.ok
    }

    /** The least severe that anybody wants now: each gets of it what it wants. */
    async #setLevel(held: HeldCall): Promise<void> {
      const { url, endpoint, transport, custom, timeoutMs, sessionId, version } = held
      const level = leastSevere([...this.#levels.values()].filter(isLogLevel))
      if (level === undefined || level === this.#level) return
      const session = { upstreamId: sessionId, version }
      const address = { url, endpoint, transport, headers: custom, timeoutMs }
      await setLogLevel(deps.outbound(), address, session, level)
      this.#level = level
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
