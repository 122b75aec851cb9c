import { GATEWAY_INFO } from '../messages.ts'
import { createBackoff } from './backoff.ts'
import type { ConnectionKind } from './connections.ts'
import { createDeadline } from './deadline.ts'
import { ask, requestOf, resultOf } from './handshake.ts'
import { type Line, type LineDeps, openLine } from './line.ts'
import { refusalAnswer } from './link-answers.ts'
import type { LinkRequest } from './link-request.ts'
import type { Channel, LineOrNot, Place } from './link-session.ts'
import type { Liveness } from './liveness.ts'
import { talkShared, wishesOf } from './shared-talk.ts'

/** A connection that clients share who declare nothing: the gateway said hello on it, once. */
export interface Trunk extends Channel {
  readonly credentials: string
  /** A new client's place: what the server said to hello, or why there is nothing. */
  join(request: LinkRequest, place: Place): Promise<Joined>
  isIdle(now: number): boolean
  close(): void
}

export type Joined =
  | { readonly kind: 'joined' /** JSON. */; readonly hello: string }
  | Extract<LineOrNot, { kind: 'none' }>

export interface TrunkDeps extends LineDeps {
  readonly random: LineDeps['random'] & { fraction(): number }
  readonly kind: ConnectionKind
  readonly liveness: Liveness
  /** The revision that its clients asked for. */
  readonly version: string
  readonly credentials: string
  readonly idleMs: number
}

/** What a request says of the way there. */
type Way = Pick<LinkRequest, 'url' | 'headers' | 'timeoutMs'>

/** A connection that lived this long was no failure. */
const LASTING_MS = 30_000

/** @see Trunk */
export function createTrunk(deps: TrunkDeps): Trunk {
  const places = new Set<Place>()
  const backoff = createBackoff(deps.clock, deps.random)
  let line: Line | undefined
  let hello = ''
  let opening: Promise<LineOrNot> | undefined
  let isClosed = false
  let usedAt = deps.clock.now()
  let openedAt = 0

  const hearers = { isShared: true, members: () => [...places] }
  const isHeard = (): boolean => [...places].some(({ stream }) => stream !== undefined)

  /** One attempt for all who ask meanwhile, and not ended by one of them who leaves. */
  function open(way: Way): Promise<LineOrNot> {
    opening ??= connect(way).finally(() => {
      opening = undefined
    })
    return opening
  }

  async function connect(way: Way): Promise<LineOrNot> {
    const deadline = createDeadline(way.timeoutMs)
    const target = { ...way, signal: deadline.signal }
    const { kind } = deps
    let own: Line | undefined
    const onClosed = (): void => {
      // Another one may be in its place already.
      if (line === own) {
        line = undefined
        // One that greets and leaves is no better than one that does not open.
        if (deps.clock.now() - openedAt >= LASTING_MS) backoff.succeeded()
        else backoff.failed()
      }
      if (!line && !isClosed && isHeard()) deps.waitUntil(reconnect(way))
    }
    const opened = await openLine(deps, { kind, target, hearers, onClosed })
    deadline.clear()
    if (opened.kind !== 'open') return failed(refusalAnswer(opened))
    own = opened.line
    const greeted = await greet(own, way)
    if (greeted.kind === 'none') {
      own.close()
      return failed(greeted.response)
    }
    openedAt = deps.clock.now()
    if (isClosed) own.close()
    else if (own.isOpen()) line = own
    return greeted
  }

  function failed(response: Response): LineOrNot {
    backoff.failed()
    return { kind: 'none', response }
  }

  async function greet(on: Line, way: Way): Promise<LineOrNot> {
    const params = { protocolVersion: deps.version, capabilities: {}, clientInfo: GATEWAY_INFO }
    const answer = await ask(on, requestOf('initialize', params), way)
    if (answer.kind === 'failed') return { kind: 'none', response: answer.response }
    const result = resultOf(answer)
    if (result === undefined) return { kind: 'none', response: new Response(null, { status: 502 }) }
    hello = result
    await on.send('{"jsonrpc":"2.0","method":"notifications/initialized"}', way)
    for (const { method, params: wanted } of wishesOf(places)) {
      deps.waitUntil(ask(on, requestOf(method, wanted), way))
    }
    return { kind: 'line', line: on }
  }

  /**
   * As long as somebody listens: there is no request that could notice. Requests do not wait for it;
   * what they may do to a server that fails is their breaker's business.
   */
  async function reconnect(way: Way): Promise<void> {
    while (!line && !isClosed && isHeard()) {
      await sleep(Math.max(backoff.waitMs(), 1))
      if (!line && !isClosed && isHeard()) await open(way)
    }
  }

  async function use(request: LinkRequest): Promise<LineOrNot> {
    usedAt = deps.clock.now()
    return line ? { kind: 'line', line } : open(wayOf(request))
  }

  return {
    credentials: deps.credentials,
    line: use,
    openLine: () => line,
    talk: (place, text, message) => talkShared(place, places, text, message),
    isIdle: (now) => places.size === 0 && now - usedAt >= deps.idleMs,

    async join(request, place) {
      const known = line
      // What is open may lead nowhere.
      if (known && !(await deps.liveness.isAlive(known, request))) {
        known.close()
        if (line === known) line = undefined
      }
      const found = await use(request)
      if (found.kind === 'none') return found
      places.add(place)
      return { kind: 'joined', hello }
    },

    leave(place) {
      places.delete(place)
      usedAt = deps.clock.now()
      for (const { member, sink } of line?.exchange.running() ?? []) {
        if (member !== place) continue
        sink.fail()
        line?.leave(sink)
      }
    },

    close() {
      isClosed = true
      line?.close()
    },
  }
}

function wayOf({ url, headers, timeoutMs }: LinkRequest): Way {
  return { url, headers, timeoutMs }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
