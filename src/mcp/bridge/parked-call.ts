import { z } from 'zod'
import type { Clock } from '../../core/index.ts'
import { judge } from '../answer/judge.ts'
import { cancelRequest } from '../relay/relay-message.ts'
import { editObject, members, rawMember } from '../wire/edit-members.ts'
import type { Messages } from '../wire/read-messages.ts'
import type { RawId } from '../wire/reply.ts'
import { messageEvent } from '../wire/write-messages.ts'
import { createEventQueue } from './event-queue.ts'
import { askedBy, inputRequired, isInput, refusalOf, responseTo } from './input-required.ts'
import { type ModernView, modernMessage } from './modern-message.ts'
import { type Asked, isDeclared, MAX_ASKED } from './rounds.ts'

/**
 * A call to a legacy server that may ask its client back: then what is open stays open, the client
 * gets `input_required`, and its retry goes on with the very same call (PROTOCOL.md 1.11).
 */
export interface ParkedCall {
  readonly logLevel: string | undefined
  /** Reads the server's stream to its end. Never rejects. */
  run(): Promise<void>
  /** What the client is to see now, up to the answer or the next question. */
  readonly events: ReadableStream<Uint8Array>
  /** Gives the server what the client answered; the stream of what comes then. */
  resume(inputs: string, upstreamId: RawId): Promise<ReadableStream<Uint8Array>>
  /** A request of the server that came elsewhere, and can only be for this call. */
  ask(text: string): Promise<void>
  /** A message of the server's session log. */
  log(text: string, message: unknown): void
  /** Closes the connection. */
  stop(): Promise<void>
  isParked(): boolean
  /** The server has answered, or never will. */
  isOver(): boolean
}

export interface ParkedCallDeps {
  readonly callId: string
  readonly view: ModernView
  readonly upstreamId: RawId
  readonly messages: Messages
  readonly timeoutMs: number
  /** The state that brings the client's retry back here. */
  readonly state: string
  readonly clock: Clock
  /** Sends a message in the session: whether the server took it. Never rejects. */
  post(text: string): Promise<boolean>
  /** It waits for its client. */
  onParked(): void
  /** Whoever read it went away. */
  onLeft(): void
}

/** Requests that come together are asked together. */
const GRACE_MS = 25
/** Of one call: a server that asks more at once is talking to itself. */
const MAX_PENDING = MAX_ASKED

const Cancelled = z.object({
  method: z.literal('notifications/cancelled'),
  params: z.object({ requestId: z.union([z.string(), z.number()]) }),
})

/** @see ParkedCall */
export function createParkedCall(deps: ParkedCallDeps): ParkedCall {
  const { view, messages } = deps
  const queue = createEventQueue(deps.onLeft)
  const pending = new Map<string, { readonly id: RawId; readonly asked: Asked }>()
  let currentId = deps.upstreamId
  let counted = 0
  let grace: ReturnType<typeof setTimeout> | undefined
  let isParked = false
  let isOver = false
  /** The answer, once there is one. */
  let last: string | undefined
  /** Since then the server has the word. */
  let activeSince = deps.clock.now()

  function park(): void {
    grace = undefined
    if (isOver || isParked || pending.size === 0) return
    isParked = true
    const asked = [...pending.values()].map((one) => one.asked)
    queue.end(messageEvent(inputRequired(currentId, asked, deps.state)))
    deps.onParked()
  }

  function parkSoon(): void {
    grace ??= setTimeout(park, GRACE_MS)
  }

  async function ask(text: string): Promise<void> {
    counted += 1
    const asked = askedBy(text, `request-${counted}`)
    if (!asked || !isDeclared(asked, view) || pending.size >= MAX_PENDING) {
      await deps.post(refusalOf(text))
      return
    }
    pending.set(asked.key, { id: rawMember(text, 'id') ?? 'null', asked })
    parkSoon()
  }

  /** A server may take its question back. */
  function withdraw(message: unknown): void {
    const cancelled = Cancelled.safeParse(message).data
    if (!cancelled) return
    const id = JSON.stringify(cancelled.params.requestId)
    for (const [key, one] of pending) {
      if (JSON.stringify(JSON.parse(one.id)) === id) pending.delete(key)
    }
  }

  function finish(answer?: string): void {
    if (isOver) return
    isOver = true
    clearTimeout(grace)
    last = answer
    // Who comes back later has another id.
    if (!isParked) end()
  }

  function end(): void {
    const text = last && editObject(last, { id: () => currentId })
    queue.end(text === undefined ? undefined : messageEvent(text))
  }

  /** False when there is nothing more to read. */
  async function hear(): Promise<boolean> {
    const heard = await messages.next(deps.timeoutMs)
    // Stopped meanwhile: whoever did it has told the server.
    if (isOver) return false
    if (heard.kind === 'silent') {
      // A person takes the time that a person takes; a server has its own, from when it was told.
      const isPatient = deps.clock.now() - activeSince < deps.timeoutMs
      if (isParked || grace !== undefined || isPatient) return true
    }
    if (heard.kind !== 'message') {
      // It may be at it still.
      if (heard.kind !== 'end') await deps.post(cancelRequest(deps.upstreamId))
      finish()
      return false
    }
    activeSince = deps.clock.now()
    const { text, message } = heard
    const verdict = judge(message, deps.upstreamId)
    if (verdict.kind === 'request') {
      await ask(text)
      return true
    }
    withdraw(message)
    const shown = modernMessage(view, text, message, verdict)
    if (verdict.kind === 'answer') {
      finish(shown)
      return false
    }
    if (shown !== undefined) await queue.write(messageEvent(shown), isParked)
    return true
  }

  return {
    logLevel: view.logLevel,
    events: queue.open(),
    ask,
    isParked: () => isParked,
    isOver: () => isOver,

    async run() {
      try {
        while (!isOver && (await hear())) {
          // Each message by itself.
        }
      } catch {
        // What cannot be read ends like what broke off: whoever relays the stream says so.
        finish()
      } finally {
        await messages.cancel()
      }
    },

    async resume(inputs, upstreamId) {
      currentId = upstreamId
      isParked = false
      const given = members(inputs).flatMap(([key, raw]) => {
        const one = isInput(raw) ? pending.get(key) : undefined
        if (!one) return []
        // All at once: what the server asks meanwhile is asked by itself.
        pending.delete(key)
        return [responseTo(one.id, raw)]
      })
      if (isOver) end()
      for (const response of given) {
        if (!(await deps.post(response))) finish()
      }
      activeSince = deps.clock.now()
      // What was not answered, or was asked meanwhile, is asked again.
      if (!isOver && pending.size > 0) parkSoon()
      return queue.open()
    },

    log(text, message) {
      const shown = modernMessage(view, text, message, { kind: 'notification' })
      if (shown !== undefined) void queue.write(messageEvent(shown), true)
    },

    async stop() {
      finish()
      await messages.cancel()
    },
  }
}
