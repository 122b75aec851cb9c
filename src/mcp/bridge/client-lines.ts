import { z } from 'zod'
import { type CallContext, within } from '../../core/index.ts'
import { ENDED, openChannel, type SessionStub } from '../session/session-state.ts'

/**
 * How what a legacy client says reaches the call that it is about: the call streams in one isolate,
 * and the client's next message may arrive in any other. They meet in the session's object.
 */
export interface ClientLines {
  /** For a call that runs in this invocation. */
  open(ctx: CallContext, session: string, callId: string): ClientLine
  /** Hands a client's response to the call that asked; false where no call of ours did. */
  answer(session: string, id: unknown, text: string): Promise<boolean>
  /** Ends a call, wherever it runs; one that is over already is no fault. */
  cancel(session: string, callId: string): Promise<void>
}

/** The client's side of one call. */
export interface ClientLine {
  /** Aborted when the client cancels the call, or its session ends. */
  readonly cancelled: AbortSignal
  /** An id for a request to the client: its response finds the way back here. */
  nextId(): string
  /** Must have been called before a request is shown to the client. False: the session is gone. */
  listen(): Promise<boolean>
  /** The response to the request of this id as it was sent; undefined when it did not come in time. */
  answerTo(id: string, timeoutMs: number): Promise<string | undefined>
  /** The call is over. */
  close(): void
  /** Nobody waits for the call any more: as if it had been cancelled. */
  abandon(): void
}

const Told = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('answer'), id: z.string(), text: z.string() }),
  z.object({ kind: z.literal('cancel') }),
])
type Told = z.infer<typeof Told>

/** Most calls are over before a client could change its mind; only the others listen. */
const LISTEN_AFTER_MS = 100
const TELL_AGAIN_AFTER_MS = [2 * LISTEN_AFTER_MS, 5 * LISTEN_AFTER_MS]
/** An object that does not answer by then is as good as gone: nothing else bounds this wait. */
const LISTEN_MS = 10_000
/** A channel breaks when its object is put away or moved; each time a little later. */
const RELISTEN_MS = [0, 200, 1_000, 5_000]

const OWN_ID = /^([0-9a-f-]{36})\.\d+$/

/** @see ClientLines */
export function createClientLines(deps: {
  readonly object: (session: string) => Pick<SessionStub, 'fetch' | 'tell'>
}): ClientLines {
  const tell = (session: string, callId: string, told: Told): Promise<boolean> =>
    deps.object(session).tell(channelOf(callId), JSON.stringify(told))

  /** What comes before its call listens, or while it has to listen anew, is told again. */
  async function tellSoon(session: string, callId: string, told: Told): Promise<boolean> {
    if (await tell(session, callId, told)) return true
    for (const waitMs of TELL_AGAIN_AFTER_MS) {
      await new Promise((resolve) => setTimeout(resolve, waitMs))
      if (await tell(session, callId, told)) return true
    }
    return false
  }

  return {
    open: (ctx, session, callId) => openLine(ctx, deps.object(session), callId),

    async answer(session, id, text) {
      const [, callId] = typeof id === 'string' ? (OWN_ID.exec(id) ?? []) : []
      if (typeof id !== 'string' || callId === undefined) return false
      return tellSoon(session, callId, { kind: 'answer', id, text })
    },

    async cancel(session, callId) {
      await tellSoon(session, callId, { kind: 'cancel' })
    },
  }
}

function channelOf(callId: string): string {
  return `call/${callId}`
}

function openLine(
  ctx: CallContext,
  object: Pick<SessionStub, 'fetch'>,
  callId: string,
): ClientLine {
  const cancelled = new AbortController()
  const answers = new Map<string, string>()
  const waiting = new Map<string, () => void>()
  /** Ids of requests that have no answer yet. */
  const open = new Set<string>()
  let connecting: Promise<WebSocket | undefined> | undefined
  let asked = 0
  let isClosed = false

  function hear(told: Told): void {
    if (told.kind === 'cancel') {
      cancelled.abort(new Error('cancelled by the client'))
      return
    }
    // The first answer counts, and only to what was asked.
    if (!open.delete(told.id)) return
    answers.set(told.id, told.text)
    waiting.get(told.id)?.()
  }

  async function connect(): Promise<WebSocket | undefined> {
    const socket = await openChannel(object, channelOf(callId))
    if (isClosed) socket?.close()
    if (!socket) cancelled.abort(new Error('the session ended'))
    socket?.addEventListener('message', ({ data }) => {
      const told = Told.safeParse(JSON.parse(String(data)))
      if (told.success) hear(told.data)
    })
    socket?.addEventListener('close', ({ reason }) => {
      if (isClosed) return
      if (reason === ENDED) cancelled.abort(new Error('the session ended'))
      else ctx.waitUntil(relisten())
    })
    return socket
  }

  /** The object may have been put away: what it knew of its listeners is gone with the channel. */
  async function relisten(): Promise<void> {
    for (const waitMs of RELISTEN_MS) {
      await new Promise((resolve) => setTimeout(resolve, waitMs))
      if (isClosed) return
      connecting = connect().catch(() => undefined)
      if (await connecting) return
    }
  }

  function listen(): Promise<WebSocket | undefined> {
    connecting ??= connect().catch(() => undefined)
    return connecting
  }

  function close(): void {
    isClosed = true
    clearTimeout(timer)
    if (connecting) ctx.waitUntil(connecting.then((socket) => socket?.close()))
  }

  const timer = setTimeout(() => ctx.waitUntil(listen()), LISTEN_AFTER_MS)
  return {
    cancelled: cancelled.signal,

    nextId() {
      asked += 1
      const id = `${callId}.${asked}`
      open.add(id)
      return id
    },

    async listen() {
      const channel = within(LISTEN_MS, 'the session', listen()).catch(() => undefined)
      return (await channel) !== undefined
    },

    async answerTo(id, timeoutMs) {
      const known = answers.get(id)
      if (known !== undefined || cancelled.signal.aborted) return known
      let timer: ReturnType<typeof setTimeout> | undefined
      await new Promise<void>((resolve) => {
        waiting.set(id, resolve)
        cancelled.signal.addEventListener('abort', () => resolve(), { once: true })
        timer = setTimeout(resolve, timeoutMs)
      })
      clearTimeout(timer)
      waiting.delete(id)
      return answers.get(id)
    },

    close,

    abandon() {
      close()
      cancelled.abort(new Error('the client left'))
    },
  }
}
