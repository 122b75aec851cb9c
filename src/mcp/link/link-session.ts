import type { Line } from './line.ts'
import { accepted, eventAnswer, noRoom, noSession, refusalAnswer } from './link-answers.ts'
import type { LinkRequest } from './link-request.ts'
import type { Liveness } from './liveness.ts'
import type { Message } from './message.ts'
import { type Backlog, createOutlet, type Outlet, type Sink } from './outlet.ts'
import type { Member } from './route.ts'
import type { Talk } from './shared-talk.ts'

/** A session's place on a connection; what it asked to hear of changes. */
export interface Place extends Member {
  stream: Outlet | undefined
  level: string | undefined
  readonly uris: Set<string>
}

export function createPlace(): Place {
  return { stream: undefined, level: undefined, uris: new Set() }
}

/** A way to a server, for one session or for several. */
export interface Channel {
  /** The connection, opened again where that is possible. */
  line(request: LinkRequest): Promise<LineOrNot>
  /** The one that is open now. */
  openLine(): Line | undefined
  /** What this client's message becomes where others use the connection too. */
  talk(place: Place, text: string, message: Message): Talk
  leave(place: Place): void
}

export type LineOrNot =
  | { readonly kind: 'line'; readonly line: Line }
  | { readonly kind: 'none'; readonly response: Response }

/** One session that the gateway has with the server, by the id that was issued here. */
export interface LinkSession {
  readonly credentials: string
  /** For whom it was opened. */
  readonly holder: string | undefined
  request(request: LinkRequest, message: Message & { readonly kind: 'request' }): Promise<Response>
  /** A notification, or an answer to a question of the server. */
  oneWay(request: LinkRequest, message: Message): Promise<Response>
  /** The stream of what belongs to no request; the one before it ends. */
  listen(request: LinkRequest): Response
  isIdle(now: number): boolean
  lastUsedAt(): number
  close(): void
}

export interface LinkSessionDeps {
  readonly channel: Channel
  readonly place: Place
  readonly backlog: Backlog
  readonly liveness: Liveness
  readonly credentials: string
  readonly holder: string | undefined
  readonly now: () => number
  readonly waitUntil: (work: Promise<unknown>) => void
  /** How long a session that does nothing is kept, in ms. */
  readonly idleMs: number
}

/** @see LinkSession */
export function createLinkSession(deps: LinkSessionDeps): LinkSession {
  const { channel, place, backlog } = deps
  let usedAt = deps.now()

  function runs(): boolean {
    const running = channel.openLine()?.exchange.running() ?? []
    return running.some(({ member }) => member === place)
  }

  /** Whoever reads it may go at any time, and what runs over which connection by then. */
  function outletOn(onLeave: (outlet: Sink) => void): Outlet {
    const outlet = createOutlet(backlog, () => {
      onLeave(outlet)
      channel.openLine()?.leave(outlet)
    })
    return outlet
  }

  return {
    credentials: deps.credentials,
    holder: deps.holder,
    lastUsedAt: () => usedAt,
    isIdle: (now) => !place.stream && !runs() && now - usedAt >= deps.idleMs,

    async request(request, message) {
      usedAt = deps.now()
      const found = await channel.line(request)
      if (found.kind === 'none') return found.response
      const { line } = found
      const talk = channel.talk(place, request.body, message)
      if (talk.kind === 'answered') return talk.response
      const mark = deps.liveness.mark(line)
      const doubt = (): void => deps.waitUntil(deps.liveness.doubt(line, mark, request))
      const outlet = outletOn(doubt)
      const { id, params } = message
      const call = { member: place, id, token: params.ownToken, sink: outlet }
      const begun = line.exchange.begin(call, talk.text)
      if (!begun) return noRoom()
      const sent = await line.send(begun.text, request)
      if (sent.kind === 'sent') return eventAnswer(outlet.readable)
      // What broke off on its way may have arrived.
      if (sent.kind === 'fault') {
        line.leave(outlet)
        doubt()
      } else line.exchange.forget(begun.id)
      return refused(line, sent)
    },

    async oneWay(request, message) {
      usedAt = deps.now()
      const found = await channel.line(request)
      if (found.kind === 'none') return found.response
      const { line } = found
      if (message.kind === 'response' && !line.exchange.takeAnswer(message.id)) return accepted()
      const talk = channel.talk(place, request.body, message)
      if (talk.kind === 'answered') return talk.response
      const text = line.exchange.outgoing(place, talk.text, message)
      if (text === undefined) return accepted()
      const sent = await line.send(text, request)
      return sent.kind === 'sent' ? accepted() : refused(line, sent)
    },

    listen(request) {
      usedAt = deps.now()
      place.stream?.end()
      const outlet = outletOn((gone) => {
        if (place.stream === gone) place.stream = undefined
        usedAt = deps.now()
      })
      place.stream = outlet
      // Who listens wants the connection to be there.
      if (!channel.openLine()) deps.waitUntil(channel.line(request))
      return eventAnswer(outlet.readable)
    },

    close() {
      place.stream?.end()
      place.stream = undefined
      channel.leave(place)
    },
  }

  /** A server that knows the session no more has said so, whatever its connection does. */
  function refused(line: Line, sent: Parameters<typeof refusalAnswer>[0]): Response {
    if (sent.kind !== 'refused' || sent.response.status !== 404) return refusalAnswer(sent)
    line.close()
    return noSession()
  }
}
