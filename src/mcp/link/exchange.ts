import { setBounded } from '../../core/index.ts'
import { editObject, set, within } from '../wire/edit-members.ts'
import type { RawId } from '../wire/reply.ts'
import { type Message, readMessage } from './message.ts'
import type { Sink } from './outlet.ts'
import { type Hearers, type Member, route } from './route.ts'

/** A request that runs over a connection. */
export interface Call {
  /** Whose it is; undefined for one of the gateway's own. */
  readonly member: Member | undefined
  /** The id under which its sender knows it. */
  readonly id: RawId
  /** Its token for progress there, if it wants to hear of it. */
  readonly token: RawId | undefined
  readonly sink: Sink
}

/**
 * What travels over one connection: requests under ids of its own, so that any number of senders may
 * use it, and what comes back, to whom it is for. Knows no network.
 */
export interface Exchange {
  /** The text to send; undefined when too many requests run. */
  begin(call: Call, text: string): { readonly id: RawId; readonly text: string } | undefined
  /** The request was refused: it never runs. */
  forget(id: RawId): void
  /**
   * Its hearer is gone: what it was asked nobody will answer. Gives the texts that say so. For 30 s a
   * cancel still finds the request, which may run on.
   */
  leave(sink: Sink, now: number): readonly string[]
  /**
   * What `member` sends, as the other side knows its ids; undefined for a cancel of what it does not
   * run (any more).
   */
  outgoing(member: Member, text: string, message: Message): string | undefined
  /** Whether this is an answer that the other side waits for; it waits no more. */
  takeAnswer(id: RawId): boolean
  /** Hands on what came. Gives what is to be sent back at once. */
  hear(text: string, now: number): readonly string[]
  /** Something else than messages came, again and again. */
  isGarbled(): boolean
  /** Whose requests run, in the order in which they began. */
  running(): readonly Call[]
  /** The connection is gone, and with it every answer. */
  breakOff(): void
}

/** Of one connection; far more than a server works at, at once. */
const MAX_CALLS = 1_000
/** Who hangs up says why at once, if at all. */
const UNHEARD_MS = 30_000
/** Questions of a server that wait for their answers. */
const MAX_QUESTIONS = 100
/** Of a server that asks what nobody hears, pings included: answers to it must not pile up. */
const MAX_ANSWERED_AT_ONCE = 500
const ANSWERED_WINDOW_MS = 30_000
/** What is no message, on one connection. */
const MAX_GARBAGE = 100

const NOBODY = { code: -32603, message: 'Nobody is there to answer this request.' }

export interface ExchangeDeps {
  readonly hearers: Hearers
  /** Unlike any token that another connection uses: some servers tell all of progress. */
  readonly uuid: () => string
}

/** @see Exchange */
export function createExchange({ hearers, uuid }: ExchangeDeps): Exchange {
  // Numbers, since there are servers that read no others.
  let nextId = 1
  let garbage = 0
  let answered = { count: 0, since: 0 }
  const calls = new Map<RawId, Call>()
  /** Requests that run though nobody hears them any more; since when, the oldest first. */
  const unheard = new Map<RawId, { readonly call: Call; readonly since: number }>()
  /** By the token on the connection. */
  const tokens = new Map<RawId, RawId>()
  /** Questions of the server, and where they were told. */
  const questions = new Map<RawId, Sink>()

  function forget(id: RawId): void {
    calls.delete(id)
    for (const [token, of] of tokens) if (of === id) tokens.delete(token)
  }

  function keepUnheard(id: RawId, call: Call, now: number): void {
    for (const [old, { since }] of unheard) {
      if (now - since <= UNHEARD_MS) break
      unheard.delete(old)
    }
    setBounded(unheard, id, { call, since: now }, MAX_CALLS)
  }

  function mayAnswer(now: number): boolean {
    if (now - answered.since > ANSWERED_WINDOW_MS) answered = { count: 0, since: now }
    answered.count += 1
    return answered.count <= MAX_ANSWERED_AT_ONCE
  }

  function respond(text: string, id: RawId): void {
    unheard.delete(id)
    const call = calls.get(id)
    // Late, or never asked for.
    if (!call) return
    forget(id)
    call.sink.write(editObject(text, { id: () => call.id }))
    call.sink.end()
  }

  function progress(text: string, token: RawId): void {
    const id = tokens.get(token)
    const call = id === undefined ? undefined : calls.get(id)
    if (call?.token === undefined) return
    const own = call.token
    call.sink.write(editObject(text, { params: within({ progressToken: () => own }) }))
  }

  function ask(text: string, id: RawId, method: string, now: number): readonly string[] {
    if (method === 'ping') return mayAnswer(now) ? [answerOf(id, '"result":{}')] : overrun()
    const [sink] = route(hearers, [...calls.values()], { kind: 'question' })
    if (sink && questions.size < MAX_QUESTIONS && !questions.has(id)) {
      questions.set(id, sink)
      sink.write(text)
      return []
    }
    return mayAnswer(now) ? [refusal(id)] : overrun()
  }

  function overrun(): readonly string[] {
    garbage = MAX_GARBAGE
    return []
  }

  function tell(text: string, message: Message & { readonly kind: 'notification' }): void {
    const { method, params } = message
    if (method === 'notifications/progress') {
      if (params.progressToken !== undefined) progress(text, params.progressToken)
      return
    }
    if (method === 'notifications/cancelled') {
      // Of a question: it was told where the question was.
      questions.get(params.requestId ?? '')?.write(text)
      questions.delete(params.requestId ?? '')
      return
    }
    for (const sink of route(hearers, [...calls.values()], message)) sink.write(text)
  }

  return {
    forget,
    isGarbled: () => garbage >= MAX_GARBAGE,
    running: () => [...calls.values()],

    begin(call, text) {
      if (calls.size >= MAX_CALLS) return undefined
      const id = String(nextId)
      nextId += 1
      calls.set(id, call)
      if (call.token === undefined) return { id, text: editObject(text, { id: () => id }) }
      const token = JSON.stringify(uuid())
      tokens.set(token, id)
      const params = within({ _meta: within({ progressToken: () => token }) })
      return { id, text: editObject(text, { id: () => id, params }) }
    },

    leave(sink, now) {
      for (const [id, call] of calls) {
        if (call.sink !== sink) continue
        forget(id)
        keepUnheard(id, call, now)
      }
      const open = [...questions].filter(([, told]) => told === sink).map(([id]) => id)
      for (const id of open) questions.delete(id)
      return open.map(refusal)
    },

    outgoing(member, text, message) {
      if (message.kind !== 'notification') return text
      if (message.method !== 'notifications/cancelled') return text
      const wanted = message.params.requestId
      const left = [...unheard].map(([id, { call }]) => [id, call] as const)
      const own = [...calls, ...left].filter(([, call]) => call.member === member)
      const [id] = own.find(([, call]) => call.id === wanted) ?? []
      return id && editObject(text, { params: within({ requestId: set(Number(id)) }) })
    },

    takeAnswer: (id) => questions.delete(id),

    hear(text, now) {
      const message = readMessage(text)
      if (!message) {
        garbage += 1
        return []
      }
      if (message.kind === 'request') return ask(text, message.id, message.method, now)
      if (message.kind === 'response') respond(text, message.id)
      else tell(text, message)
      return []
    },

    breakOff() {
      const open = [...calls.values()]
      calls.clear()
      unheard.clear()
      tokens.clear()
      questions.clear()
      for (const { sink } of open) sink.fail()
    },
  }
}

function answerOf(id: RawId, body: string): string {
  return `{"jsonrpc":"2.0","id":${id},${body}}`
}

function refusal(id: RawId): string {
  return answerOf(id, `"error":${JSON.stringify(NOBODY)}`)
}
