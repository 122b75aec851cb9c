import { z } from 'zod'
import { EndpointId, ServerId, ServerPath } from '../../core/index.ts'
import type { Outcome } from '../upstream/failure.ts'
import type { HandshakeInput } from '../upstream/open-session.ts'

/** Absolute lifetime of a session, and so of what its object remembers. */
export const SESSION_TTL_MS = 24 * 60 * 60 * 1000

/** What the object needs to open an upstream session. */
export interface OpenSessionInput extends HandshakeInput {
  readonly server: ServerPath
  /** Whether the server declares `logging`. */
  readonly hasLogging: boolean
}

/** Where the server's side of a session is: it changes when it had to be opened again. */
export interface Place {
  readonly endpoint: EndpointId
  readonly upstreamId: string
}

/** An upstream session that belongs to a client's session. */
export const UpstreamSession = z.object({
  server: ServerId,
  /** The server's, when the session was opened. */
  path: ServerPath,
  endpoint: EndpointId,
  upstreamId: z.string(),
  /** What the upstream negotiated: the revision to announce on every request in it. */
  version: z.string(),
})
export type UpstreamSession = Readonly<z.infer<typeof UpstreamSession>>

interface Ended {
  readonly kind: 'ended'
  readonly outcome?: undefined
}

/** `outcome`: what a breaker learns; undefined as well for who waited for the handshake of another. */
export interface OpeningFailed {
  readonly kind: 'failed'
  readonly code: 'upstream_failed' | 'upstream_timeout'
  readonly message: string
  readonly outcome: Outcome | undefined
  /** The HTTP status that refused the handshake. */
  readonly status?: number | undefined
}

/** What came of asking for the upstream session of one server. */
export type Opening =
  | Ended
  | OpeningFailed
  | {
      readonly kind: 'open'
      readonly session: UpstreamSession
      /** @see OpeningFailed */
      readonly outcome: Outcome | undefined
    }

/** What became of an upstream session that the upstream says it does not know. */
export type Recovery =
  | Ended
  | OpeningFailed
  | {
      readonly kind: 'reopened'
      readonly endpoint: EndpointId
      readonly upstreamId: string
      /** Opened for this asking, not found as one that had moved before. */
      readonly isNew: boolean
      /** @see OpeningFailed */
      readonly outcome: Outcome | undefined
    }

/** A call of the session is in flight: its answer, or a cancel of it, would be lost. */
export interface Busy {
  readonly kind: 'busy'
  readonly outcome?: undefined
}

/** What came of asking for the session to be opened on another endpoint. */
export type Moving = Recovery | Busy

/** When a session is to move, epoch ms, and calls that its asker knows to be in flight no more. */
export interface MovingMoment {
  readonly now: number
  readonly expiresAt: number
  readonly left?: readonly string[]
}

/** What the object knows of the upstream session of one server. */
export type KnownSession =
  | Ended
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly session: UpstreamSession }

/** A request that runs for longer than most: where a cancel has to go. */
export interface RunningCall {
  /** The client's id, raw JSON in canonical spelling. */
  readonly clientId: string
  readonly server: ServerId
  /** Ours towards the upstream, raw JSON. */
  readonly upstreamId: string
  /** When it was sent, epoch ms. */
  readonly since?: number
  /** Nobody reads its answer any more; a cancel may still come. */
  readonly isSuspended?: true
}

/** What became of calls since the object was told last; each is named once. */
export interface CallChanges {
  /** Known as this from now on, those as well that are known already. */
  readonly running: readonly RunningCall[]
  /** Upstream ids. */
  readonly over: readonly string[]
}

/**
 * The RPC surface of the SessionObject, one per client session. `expiresAt` is epoch ms: then the
 * object forgets everything.
 */
export interface SessionState {
  /**
   * Leaves a tombstone; gives the upstream sessions that are to be closed, undefined when it had
   * ended before.
   */
  end(expiresAt: number): Promise<readonly UpstreamSession[] | undefined>
  isEnded(): Promise<boolean>
  /**
   * Opens the upstream session again at the endpoint of its input, where it had `failedUpstreamId`,
   * once for all who ask with the same.
   */
  recover(
    server: ServerId,
    failedUpstreamId: string,
    input: OpenSessionInput,
    expiresAt: number,
  ): Promise<Recovery>
  /**
   * Opens the upstream session that was at `from` at the endpoint of its input instead, once for all
   * who ask with the same `from`, and only while no call of it is in flight that is known here,
   * but for those whose upstream ids are named as left.
   */
  move(
    server: ServerId,
    from: Place,
    input: OpenSessionInput,
    moment: MovingMoment,
  ): Promise<Moving>
  /** The upstream session of a server, if there is one. */
  find(server: ServerId): Promise<KnownSession>
  /**
   * The upstream session of a server, opened by the first who asks, on the endpoint of its input.
   * A log level that was set before is set there as well. `goneId` is one that cannot be used any
   * more, since its endpoint is gone: it is closed, and another one opened.
   */
  open(
    server: ServerId,
    input: OpenSessionInput,
    expiresAt: number,
    goneId?: string,
  ): Promise<Opening>
  /** The upstream sessions opened so far. */
  opened(): Promise<readonly UpstreamSession[]>
  /** Remembers the level of log messages for upstream sessions that are opened later. */
  setLogLevel(level: string, expiresAt: number): Promise<void>
  /** As it was set last; undefined when it never was. */
  logLevel(): Promise<string | undefined>
  noteCalls(changes: CallChanges, expiresAt: number): Promise<void>
  /** The youngest with this id: a client may use an id again. */
  findCall(clientId: string): Promise<RunningCall | undefined>
  /**
   * Whether the client is subscribed to the URI, as it named it, from now on; at most 500 of them.
   * What then holds is told on the channel `subscriptions`, as a JSON array.
   */
  subscribe(uri: string, isWanted: boolean, expiresAt: number): Promise<'ok' | 'full' | 'ended'>
  subscribed(): Promise<readonly string[]>
  /** Hands a text to who listens to the channel, in whatever isolate; false when nobody does. */
  tell(channel: string, text: string): Promise<boolean>
}

/** Why a channel is closed whose session has ended; for any other reason it may be opened again. */
export const ENDED = 'ended'
/** The channel on which each upstream session is told as it is opened. */
export const UPSTREAMS = 'upstreams'

/** The channel on which the client's subscriptions are told as they change. */
export const SUBSCRIPTIONS = 'subscriptions'

/** A SessionObject as the gateway reaches it. */
export interface SessionStub extends SessionState {
  /** Upgrades to a socket that hears the channel in the URL's path; 404 when the session ended. */
  fetch(url: string, init: { readonly headers: Record<string, string> }): Promise<Response>
}

/**
 * Listens to a channel (`[a-z0-9-/]+`) of a session's object; undefined when the session has ended.
 * The socket is accepted; it closes when the session ends.
 */
export async function openChannel(
  object: Pick<SessionStub, 'fetch'>,
  channel: string,
): Promise<WebSocket | undefined> {
  const { webSocket } = await object.fetch(`http://session/${channel}`, {
    headers: { upgrade: 'websocket' },
  })
  webSocket?.accept()
  return webSocket ?? undefined
}
