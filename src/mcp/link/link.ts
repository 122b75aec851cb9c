import { CONNECTIONS } from './connections.ts'
import { createDeadline } from './deadline.ts'
import { ask, readHello, resultOf } from './handshake.ts'
import { type LineDeps, openLine } from './line.ts'
import { jsonAnswer, noRoom, noSession, refusalAnswer, resultAnswer } from './link-answers.ts'
import type { LinkRequest } from './link-request.ts'
import { createLinkSession, createPlace, type LinkSession, type Place } from './link-session.ts'
import { createLiveness } from './liveness.ts'
import { readMessage } from './message.ts'
import { createBacklog } from './outlet.ts'
import { createOwnChannel } from './own-channel.ts'
import { createShares } from './shares.ts'
import { createTrunk, type Trunk } from './trunk.ts'

/**
 * The connections to one upstream, behind the face of a legacy server of Streamable HTTP: POST, GET
 * and DELETE, sessions issued here. What it forgot (it was evicted, a connection broke, nobody used
 * it for a while) is 404, and whoever asks opens a session again.
 */
export interface Link {
  handle(request: LinkRequest): Promise<Response>
  /** Closes what nobody used for a while. Whether there is anything left to look after. */
  sweep(): boolean
}

export interface LinkDeps extends LineDeps {
  readonly random: LineDeps['random'] & { fraction(): number }
}

/** A connection that nobody uses, and a session in which nothing happens. */
const IDLE_MS = 5 * 60_000
/** Each may cost the server a process. */
const MAX_CONNECTIONS = 250
const MAX_SESSIONS = 5_000
/** Of these, for one principal: a fifth, so that one who opens all he may leaves room for others. */
const MAX_CONNECTIONS_OF_HOLDER = 50
const MAX_SESSIONS_OF_HOLDER = 1_000
/** There are five revisions; who invents others gets no connection that others could use. */
const MAX_TRUNKS = 8

/** @see Link */
export function createLink(deps: LinkDeps): Link {
  const sessions = new Map<string, LinkSession>()
  /** Those that have a connection of their own. */
  const owners = new Set<string>()
  /** By the revision that their clients asked for. */
  const trunks = new Map<string, Trunk>()
  const backlog = createBacklog()
  const connectionShares = createShares(MAX_CONNECTIONS_OF_HOLDER)
  const sessionShares = createShares(MAX_SESSIONS_OF_HOLDER)
  const now = (): number => deps.clock.now()
  const liveness = createLiveness(now)
  let ownConnections = 0

  function drop(id: string): void {
    const session = sessions.get(id)
    if (!session) return
    session.close()
    sessionShares.give(session.holder)
    sessions.delete(id)
    owners.delete(id)
  }

  function find({ sessionId, headers }: LinkRequest): LinkSession | undefined {
    const session = sessions.get(sessionId ?? '')
    // With other credentials it is another client, as far as the server is concerned.
    if (!session || session.credentials === credentialsOf(headers)) return session
    drop(sessionId ?? '')
    return undefined
  }

  function open(
    request: LinkRequest,
    channel: Trunk | ReturnType<typeof createOwnChannel>,
    place: Place,
  ) {
    const id = deps.random.uuid()
    const credentials = credentialsOf(request.headers)
    const { waitUntil } = deps
    const { holder } = request
    const options = { channel, place, backlog, liveness, credentials, now, waitUntil, holder }
    sessionShares.take(holder)
    sessions.set(id, createLinkSession({ ...options, idleMs: IDLE_MS }))
    return id
  }

  /** Who was idle the longest makes room for another one; false when nobody is. */
  function makeRoom(isAsked: (id: string) => boolean): boolean {
    const [idlest] = [...sessions]
      .filter(([id, session]) => isAsked(id) && session.isIdle(Number.POSITIVE_INFINITY))
      .sort(([, one], [, other]) => one.lastUsedAt() - other.lastUsedAt())
    if (idlest) drop(idlest[0])
    return idlest !== undefined
  }

  /** Whoever has his share makes room for himself, and nobody else for him. */
  const isOf = (holder: string | undefined) => (id: string) => sessions.get(id)?.holder === holder

  async function initialize(request: LinkRequest, id: string): Promise<Response> {
    const { holder } = request
    if (sessionShares.isFull(holder) && !makeRoom(isOf(holder))) return noRoom()
    if (sessions.size >= MAX_SESSIONS && !makeRoom(() => true)) return noRoom()
    const hello = readHello(request.body)
    const { isShareable } = CONNECTIONS[request.transport]
    if (!isShareable || !hello || hello.isCapable) return openOwn(request, id)
    const hasTrunk = trunks.has(hello.version) || trunks.size < MAX_TRUNKS
    return hasTrunk ? joinTrunk(request, id, hello.version) : openOwn(request, id)
  }

  async function joinTrunk(request: LinkRequest, id: string, version: string): Promise<Response> {
    const place = createPlace()
    const trunk = trunkOf(request, version)
    const joined = await trunk.join(request, place)
    if (joined.kind === 'none') return joined.response
    return resultAnswer(id, joined.hello, open(request, trunk, place))
  }

  function trunkOf(request: LinkRequest, version: string): Trunk {
    const credentials = credentialsOf(request.headers)
    const known = trunks.get(version)
    if (known?.credentials === credentials) return known
    known?.close()
    const kind = CONNECTIONS[request.transport]
    const trunk = createTrunk({ ...deps, kind, liveness, version, credentials, idleMs: IDLE_MS })
    trunks.set(version, trunk)
    return trunk
  }

  async function openOwn(request: LinkRequest, id: string): Promise<Response> {
    const { holder } = request
    const isOwn = isOf(holder)
    const hasShare = connectionShares.isFull(holder)
    if (hasShare && !makeRoom((id) => owners.has(id) && isOwn(id))) return noRoom()
    const isFull = ownConnections >= MAX_CONNECTIONS
    if (isFull && !makeRoom((id) => owners.has(id))) return noRoom()
    const place = createPlace()
    const deadline = createDeadline(request.timeoutMs, request.signal)
    let sessionId: string | undefined
    ownConnections += 1
    connectionShares.take(holder)
    const gone = (): void => {
      ownConnections -= 1
      connectionShares.give(holder)
    }
    const opened = await openLine(deps, {
      kind: CONNECTIONS[request.transport],
      target: { ...request, signal: deadline.signal },
      hearers: { isShared: false, members: () => [place] },
      onClosed() {
        gone()
        if (sessionId !== undefined) drop(sessionId)
      },
    })
    deadline.clear()
    if (opened.kind !== 'open') {
      gone()
      return refusalAnswer(opened)
    }
    const { line } = opened
    const answer = await ask(line, { text: request.body, id, member: place }, request)
    if (answer.kind === 'failed' || resultOf(answer) === undefined || !line.isOpen()) {
      line.close()
      return answer.kind === 'failed' ? answer.response : jsonAnswer(answer.text)
    }
    sessionId = open(request, createOwnChannel(line), place)
    owners.add(sessionId)
    return jsonAnswer(answer.text, sessionId)
  }

  async function post(request: LinkRequest): Promise<Response> {
    const message = readMessage(request.body)
    if (!message) return new Response(null, { status: 400 })
    if (request.sessionId === undefined) {
      const isHello = message.kind === 'request' && message.method === 'initialize'
      return isHello ? initialize(request, message.id) : new Response(null, { status: 400 })
    }
    const session = find(request)
    if (!session) return noSession()
    return message.kind === 'request'
      ? session.request(request, message)
      : session.oneWay(request, message)
  }

  return {
    async handle(request) {
      const { method, sessionId = '' } = request
      if (method === 'POST') return post(request)
      if (method === 'GET') return find(request)?.listen(request) ?? noSession()
      if (!sessions.has(sessionId)) return noSession()
      drop(sessionId)
      return new Response(null, { status: 204 })
    },

    sweep() {
      for (const [id, session] of sessions) if (session.isIdle(now())) drop(id)
      for (const [version, trunk] of trunks) {
        if (!trunk.isIdle(now())) continue
        trunk.close()
        trunks.delete(version)
      }
      return sessions.size + trunks.size > 0
    },
  }
}

/** Headers of one message, not of who sends it. */
const MESSAGE_HEADERS = /^(accept|content-|user-agent$|mcp-|cf-)/

/** The server's custom headers, as one text. */
function credentialsOf(headers: Headers): string {
  return JSON.stringify([...headers].filter(([name]) => !MESSAGE_HEADERS.test(name)).sort())
}
