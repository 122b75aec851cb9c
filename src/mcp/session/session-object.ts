import { DurableObject } from 'cloudflare:workers'
import { GatewayError, type ServerId, toGatewayError } from '../../core/index.ts'
import type { Transport } from '../../registry/index.ts'
import { closeSession } from '../upstream/close-session.ts'
import type { Outcome } from '../upstream/failure.ts'
import { openSession } from '../upstream/open-session.ts'
import { setLogLevel } from '../upstream/set-log-level.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import { isBusy, type RunningCalls, withChanges } from './running-calls.ts'
import {
  type CallChanges,
  ENDED,
  type KnownSession,
  type Moving,
  type MovingMoment,
  type Opening,
  type OpeningFailed,
  type OpenSessionInput,
  type Place,
  type Recovery,
  type RunningCall,
  type SessionState,
  SUBSCRIPTIONS,
  UPSTREAMS,
  type UpstreamSession,
} from './session-state.ts'

const SCHEMA_VERSION = 4
/** Of one session. */
const MAX_SUBSCRIPTIONS = 500

/** Where it was opened: its endpoint may be gone when it is to be closed. */
type Held = UpstreamSession & { readonly url: string; readonly transport: Transport }

interface Stored {
  readonly schema: number
  readonly ended: boolean
  /** By server: opened for the client, or instead of the one in a sealed session id. */
  readonly upstreams: Readonly<Record<string, Held>>
  readonly logLevel?: string
}

const MOVED = { kind: 'reopened', isNew: false, outcome: undefined } as const
const EMPTY: Stored = { schema: SCHEMA_VERSION, ended: false, upstreams: {} }

/**
 * One per legacy session of a client, woken on exceptions: it remembers that a session was ended,
 * opens upstream sessions exactly once for all isolates that ask, and knows the calls that have
 * been running for a while (DESIGN.md, Decisions 3 and 5).
 */
export function createSessionObject(deps: { outbound(env: unknown): UpstreamOutbound }) {
  return class SessionObject extends DurableObject implements SessionState {
    readonly #opening = new Map<string, Promise<Opening>>()

    async end(expiresAt: number): Promise<readonly UpstreamSession[] | undefined> {
      const { ended, upstreams } = this.#read()
      if (ended) return undefined
      this.ctx.storage.kv.delete('calls')
      this.ctx.storage.kv.delete('subscriptions')
      await this.#write({ ...EMPTY, ended: true }, expiresAt)
      for (const socket of this.ctx.getWebSockets()) socket.close(1000, ENDED)
      return Object.values(upstreams)
    }

    async isEnded(): Promise<boolean> {
      return this.#read().ended
    }

    async recover(
      server: ServerId,
      failedUpstreamId: string,
      input: OpenSessionInput,
      expiresAt: number,
    ): Promise<Recovery> {
      const from = { endpoint: input.endpoint, upstreamId: failedUpstreamId }
      return this.#notAt(server, from) ?? this.#reopen(server, input, expiresAt)
    }

    async move(
      server: ServerId,
      from: Place,
      input: OpenSessionInput,
      { now, expiresAt, left = [] }: MovingMoment,
    ): Promise<Moving> {
      const elsewhere = this.#notAt(server, from)
      if (elsewhere) return elsewhere
      const inFlight = withChanges(this.#calls(), { running: [], over: left })
      if (isBusy(inFlight, server, now)) return { kind: 'busy' }
      return this.#reopen(server, input, expiresAt)
    }

    async find(server: ServerId): Promise<KnownSession> {
      const { ended, upstreams } = this.#read()
      if (ended) return { kind: 'ended' }
      const session = upstreams[server]
      return session ? { kind: 'open', session } : { kind: 'none' }
    }

    async open(
      server: ServerId,
      input: OpenSessionInput,
      expiresAt: number,
      goneId?: string,
    ): Promise<Opening> {
      const { ended, upstreams } = this.#read()
      if (ended) return { kind: 'ended' }
      const known = upstreams[server]
      if (known && known.upstreamId !== goneId) {
        return { kind: 'open', session: known, outcome: undefined }
      }
      const opening = await this.#openOnce(server, input, expiresAt)
      if (known && opening.kind === 'open' && opening.outcome) {
        this.ctx.waitUntil(this.#closeGone(known, input))
      }
      return opening
    }

    async opened(): Promise<readonly UpstreamSession[]> {
      return Object.values(this.#read().upstreams)
    }

    async setLogLevel(logLevel: string, expiresAt: number): Promise<void> {
      const state = this.#read()
      if (!state.ended) await this.#write({ ...state, logLevel }, expiresAt)
    }

    async logLevel(): Promise<string | undefined> {
      return this.#read().logLevel
    }

    async noteCalls(changes: CallChanges, expiresAt: number): Promise<void> {
      if (this.#read().ended) return
      const before = this.#calls()
      const after = withChanges(before, changes)
      if (after === before) return
      this.ctx.storage.kv.put('calls', after)
      if (changes.running.length > 0) await this.ctx.storage.setAlarm(expiresAt)
    }

    async findCall(clientId: string): Promise<RunningCall | undefined> {
      return this.#calls().find((call) => call.clientId === clientId)
    }

    async subscribe(
      uri: string,
      isWanted: boolean,
      expiresAt: number,
    ): Promise<'ok' | 'full' | 'ended'> {
      if (this.#read().ended) return 'ended'
      const before = await this.subscribed()
      if (before.includes(uri) === isWanted) return 'ok'
      if (isWanted && before.length >= MAX_SUBSCRIPTIONS) return 'full'
      const uris = isWanted ? [...before, uri] : before.filter((one) => one !== uri)
      this.ctx.storage.kv.put('subscriptions', uris)
      await this.ctx.storage.setAlarm(expiresAt)
      await this.tell(SUBSCRIPTIONS, JSON.stringify(uris))
      return 'ok'
    }

    async subscribed(): Promise<readonly string[]> {
      return this.ctx.storage.kv.get<string[]>('subscriptions') ?? []
    }

    async tell(channel: string, text: string): Promise<boolean> {
      const listening = this.ctx.getWebSockets(channel)
      for (const socket of listening) socket.send(text)
      return listening.length > 0
    }

    /** Somebody listens to the channel that the path names; hibernating, so that it costs nothing. */
    override async fetch(request: Request): Promise<Response> {
      if (this.#read().ended) return new Response(null, { status: 404 })
      const { 0: client, 1: server } = new WebSocketPair()
      this.ctx.acceptWebSocket(server, [new URL(request.url).pathname.slice(1)])
      return new Response(null, { status: 101, webSocket: client })
    }

    override async alarm(): Promise<void> {
      await this.ctx.storage.deleteAll()
    }

    /** What is said of a session that is not where it was left; undefined for one that is. */
    #notAt(server: ServerId, { endpoint, upstreamId }: Place): Recovery | undefined {
      const { ended, upstreams } = this.#read()
      if (ended) return { kind: 'ended' }
      const known = upstreams[server]
      // Servers that count their sessions give the same ids.
      if (!known || (known.upstreamId === upstreamId && known.endpoint === endpoint))
        return undefined
      return { ...MOVED, endpoint: known.endpoint, upstreamId: known.upstreamId }
    }

    async #reopen(server: ServerId, input: OpenSessionInput, expiresAt: number): Promise<Recovery> {
      const opening = await this.#openOnce(server, input, expiresAt)
      if (opening.kind !== 'open') return opening
      const { session, outcome } = opening
      const { endpoint, upstreamId } = session
      return { kind: 'reopened', endpoint, upstreamId, isNew: true, outcome }
    }

    /** Within one object a shared promise is safe, and it is what makes this single-flight. */
    async #openOnce(
      server: ServerId,
      input: OpenSessionInput,
      expiresAt: number,
    ): Promise<Opening> {
      const running = this.#opening.get(server)
      // One handshake is one outcome, however many wait for it.
      if (running) return { ...(await running), outcome: undefined }
      const opening = this.#open(server, input, expiresAt).finally(() => {
        this.#opening.delete(server)
      })
      this.#opening.set(server, opening)
      return opening
    }

    async #open(server: ServerId, input: OpenSessionInput, expiresAt: number): Promise<Opening> {
      try {
        const outbound = deps.outbound(this.env)
        const hello = await openSession(outbound, input)
        if (hello.kind === 'failed') return failed(hello.error, hello.outcome, hello.status)
        const { sessionId: upstreamId, version, outcome } = hello
        if (upstreamId === undefined) return failed(noSession(), outcome)
        const { server: path, endpoint, transport, url, custom: headers, timeoutMs } = input
        const address = { endpoint, transport, url, headers, timeoutMs }
        // The client may have ended the session while the upstream was asked.
        const state = this.#read()
        if (state.ended) {
          await closeSession(outbound, address, upstreamId)
          return { kind: 'ended' }
        }
        const session = { server, path, endpoint, upstreamId, version }
        const upstreams = { ...state.upstreams, [server]: { ...session, url, transport } }
        await this.#write({ ...state, upstreams }, expiresAt)
        if (state.logLevel !== undefined && input.hasLogging) {
          await setLogLevel(outbound, address, session, state.logLevel)
        }
        this.#announce(session)
        return { kind: 'open', session, outcome }
      } catch (thrown) {
        return failed(toGatewayError(thrown), undefined)
      }
    }

    /** Without credentials: they are no more for who stands at an address that was taken away. */
    async #closeGone(gone: Held, { timeoutMs }: OpenSessionInput): Promise<void> {
      const { endpoint, transport, url, upstreamId } = gone
      const address = { endpoint, transport, url, headers: [], timeoutMs }
      await closeSession(deps.outbound(this.env), address, upstreamId)
    }

    #announce(session: UpstreamSession): void {
      for (const socket of this.ctx.getWebSockets(UPSTREAMS)) socket.send(JSON.stringify(session))
    }

    #read(): Stored {
      const stored = this.ctx.storage.kv.get<Stored>('state')
      return stored?.schema === SCHEMA_VERSION
        ? stored
        : { ...EMPTY, ended: stored?.ended === true }
    }

    #calls(): RunningCalls {
      return this.ctx.storage.kv.get<RunningCalls>('calls') ?? []
    }

    async #write(state: Stored, expiresAt: number): Promise<void> {
      this.ctx.storage.kv.put('state', state)
      await this.ctx.storage.setAlarm(expiresAt)
    }
  }
}

function failed(
  { code, message }: GatewayError,
  outcome: Outcome | undefined,
  status?: number,
): OpeningFailed {
  const known = code === 'upstream_timeout' ? code : 'upstream_failed'
  return { kind: 'failed', code: known, message, outcome, status }
}

function noSession(): GatewayError {
  return new GatewayError(
    'upstream_failed',
    'The server forgot the session and gives none any more.',
  )
}
