import { z } from 'zod'
import { EndpointId, ServerId } from '../../core/index.ts'
import type { OpenSessionInput } from '../upstream/open-session.ts'

/** What became of an upstream session that the upstream says it does not know. */
export type Recovery =
  | { readonly kind: 'ended' }
  | { readonly kind: 'reopened'; readonly upstreamId: string }
  | { readonly kind: 'failed'; readonly message: string }

/** An upstream session that belongs to a client's session. */
export const UpstreamSession = z.object({
  server: ServerId,
  endpoint: EndpointId,
  upstreamId: z.string(),
  /** What the upstream negotiated: the revision to announce on every request in it. */
  version: z.string(),
})
export type UpstreamSession = Readonly<z.infer<typeof UpstreamSession>>

/** What came of asking for the upstream session of one server. */
export type Opening =
  | { readonly kind: 'ended' }
  | { readonly kind: 'open'; readonly session: UpstreamSession }
  | { readonly kind: 'failed'; readonly message: string }

/** A request that runs for longer than most: where a cancel has to go. */
export interface RunningCall {
  /** The client's id, raw JSON in canonical spelling. */
  readonly clientId: string
  readonly server: ServerId
  /** Ours towards the upstream, raw JSON. */
  readonly upstreamId: string
}

/**
 * The RPC surface of the SessionObject, one per client session. `expiresAt` is epoch ms: then the
 * object forgets everything.
 */
export interface SessionState {
  /** Leaves a tombstone; gives the upstream sessions that are to be closed. Idempotent. */
  end(expiresAt: number): Promise<readonly UpstreamSession[]>
  isEnded(): Promise<boolean>
  /** Opens the upstream session again, once for all who ask with the same `failedUpstreamId`. */
  recover(
    server: ServerId,
    failedUpstreamId: string,
    input: OpenSessionInput,
    expiresAt: number,
  ): Promise<Recovery>
  /**
   * The upstream session of a server, opened by the first who asks, on the endpoint of its input.
   * A log level that was set before is set there as well.
   */
  open(server: ServerId, input: OpenSessionInput, expiresAt: number): Promise<Opening>
  /** The upstream sessions opened so far. */
  opened(): Promise<readonly UpstreamSession[]>
  /** Remembers the level of log messages for upstream sessions that are opened later. */
  setLogLevel(level: string, expiresAt: number): Promise<void>
  addCall(call: RunningCall, expiresAt: number): Promise<void>
  removeCall(call: RunningCall): Promise<void>
  /** The youngest with this id: a client may use an id again. */
  findCall(clientId: string): Promise<RunningCall | undefined>
}

/** A SessionObject as the gateway reaches it. */
export interface SessionStub extends SessionState {
  /** Upgrades to a socket that tells each upstream session as it is opened; 404 when it ended. */
  fetch(url: string, init: { readonly headers: Record<string, string> }): Promise<Response>
}
