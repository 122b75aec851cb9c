import { z } from 'zod'
import {
  type CallContext,
  EndpointId,
  GatewayError,
  isPlainObject,
  type Principal,
  type Sealer,
  ServerId,
  setBounded,
} from '../../core/index.ts'
import type { ClientHello, OpenSessionInput } from '../upstream/open-session.ts'
import type { SessionState, UpstreamSession } from './session-state.ts'

/** What a legacy client said in `initialize`. */
const Hello = z.object({
  protocolVersion: z.string(),
  capabilities: z.record(z.string(), z.unknown()),
  clientInfo: z.record(z.string(), z.unknown()),
})

/** A mirrored legacy session: all of it travels sealed in the session id (DESIGN.md, Decision 5). */
export const LegacySession = z.object({
  /** Names the SessionObject that holds what may change. */
  key: z.uuid(),
  server: ServerId,
  endpoint: EndpointId,
  upstreamId: z.string().min(1).max(4_096),
  /** Absent when it was too large to travel: such a session cannot be opened again. */
  hello: Hello.optional(),
})
export type LegacySession = z.infer<typeof LegacySession>

/** A session at a shared endpoint: its upstream sessions are known to its SessionObject. */
export const SharedSession = z.object({ kind: z.literal('shared'), key: z.uuid(), hello: Hello })
export type SharedSession = z.infer<typeof SharedSession>

export type ClientSession = SharedSession | LegacySession
const ClientSession = z.union([SharedSession, LegacySession])

export interface Sessions {
  /** The `Mcp-Session-Id` for the client. */
  seal(principal: Principal, path: string, session: ClientSession): Promise<string>
  /**
   * Throws `session_not_found` for an id that is unknown, foreign, expired, or known here to have
   * ended. One that ended elsewhere shows when the upstream no longer knows it.
   */
  open(principal: Principal, path: string, sessionId: string): Promise<ClientSession>
  /** The upstream id to use now: it changes when the session had to be opened again. */
  currentUpstreamId(session: LegacySession): string
  /** Gives the upstream sessions that the SessionObject knows of. */
  end(session: Pick<ClientSession, 'key'>): Promise<readonly UpstreamSession[]>
  /** Remembers that a session was found to have ended. */
  noteEnded(session: Pick<ClientSession, 'key'>): void
  /**
   * After an upstream 404 to `failedUpstreamId`: the id to use instead. Throws `session_not_found`,
   * or `upstream_failed`.
   */
  recover(
    ctx: CallContext,
    session: LegacySession,
    failedUpstreamId: string,
    upstream: Omit<OpenSessionInput, 'hello' | 'endpoint' | 'hasLogging'>,
  ): Promise<string>
}

export interface SessionsDeps {
  readonly sealer: Sealer
  readonly clock: { now(): number }
  readonly object: (name: string) => SessionState
  readonly onReopened: (ctx: CallContext, server: string) => void
}

/** Absolute lifetime of a session id. */
export const SESSION_TTL_MS = 24 * 60 * 60 * 1000
/** Client hello larger than this (JSON characters) does not fit a header. */
const MAX_HELLO_CHARS = 2_048
/** Sessions whose upstream id changed or that ended, remembered per isolate; oldest out. */
const MAX_REMEMBERED = 5_000

/** @see Sessions */
export function createSessions(deps: SessionsDeps): Sessions {
  const moved = new Map<string, string>()
  const ended = new Map<string, true>()

  return {
    seal(principal, path, session) {
      const expiresAt = deps.clock.now() + SESSION_TTL_MS
      return deps.sealer.seal('session', binding(principal, path), session, expiresAt)
    },

    async open(principal, path, sessionId) {
      const opened = await deps.sealer.open('session', binding(principal, path), sessionId)
      const session = ClientSession.safeParse(opened)
      if (!session.success || ended.has(session.data.key)) throw sessionNotFound()
      return session.data
    },

    currentUpstreamId: (session) => moved.get(legOf(session)) ?? session.upstreamId,

    async end({ key }) {
      setBounded(ended, key, true, MAX_REMEMBERED)
      return deps.object(key).end(deps.clock.now() + SESSION_TTL_MS)
    },

    noteEnded({ key }) {
      setBounded(ended, key, true, MAX_REMEMBERED)
    },

    async recover(ctx, session, failedUpstreamId, upstream) {
      if (!session.hello) throw sessionNotFound()
      const recovery = await deps
        .object(session.key)
        .recover(
          session.server,
          failedUpstreamId,
          { ...upstream, endpoint: session.endpoint, hello: session.hello, hasLogging: false },
          deps.clock.now() + SESSION_TTL_MS,
        )
      switch (recovery.kind) {
        case 'ended':
          setBounded(ended, session.key, true, MAX_REMEMBERED)
          throw sessionNotFound()
        case 'failed':
          throw new GatewayError('upstream_failed', recovery.message)
        case 'reopened':
          setBounded(moved, legOf(session), recovery.upstreamId, MAX_REMEMBERED)
          deps.onReopened(ctx, upstream.server)
          return recovery.upstreamId
      }
    },
  }
}

/** The same words for unknown, foreign, expired and ended: nothing leaks about which. */
export function sessionNotFound(): GatewayError {
  return new GatewayError('session_not_found', 'The session is unknown, expired or was ended.')
}

/** The session that a request names, if it names one. Throws `session_not_found`. */
export async function sessionOf(
  sessions: Sessions,
  principal: Principal,
  path: string,
  headers: Headers,
): Promise<ClientSession | undefined> {
  const id = headers.get('mcp-session-id')
  return id === null ? undefined : sessions.open(principal, path, id)
}

/** The session for a request to one server: one of a shared endpoint is none there. */
export function mirrored(session: ClientSession | undefined): { readonly session?: LegacySession } {
  if (!session) return {}
  if ('kind' in session) throw sessionNotFound()
  return { session }
}

/** The session for a request to a shared endpoint. */
export function shared(session: ClientSession | undefined): { readonly session?: SharedSession } {
  if (!session) return {}
  if (!('kind' in session)) throw sessionNotFound()
  return { session }
}

/** What a client said in `initialize`, when it is small enough to travel in the session id. */
export function helloOf(params: Readonly<Record<string, unknown>>): ClientHello | undefined {
  const { protocolVersion, capabilities, clientInfo } = params
  if (typeof protocolVersion !== 'string') return undefined
  const info = isPlainObject(clientInfo) ? clientInfo : {}
  const hello = {
    protocolVersion,
    capabilities: isPlainObject(capabilities) ? capabilities : {},
    clientInfo: { name: info['name'], version: info['version'] },
  }
  return JSON.stringify(hello).length > MAX_HELLO_CHARS ? undefined : hello
}

/** One upstream session of a client's session. */
function legOf({ key, server }: LegacySession): string {
  return `${key}\n${server}`
}

function binding(principal: Principal, path: string): string[] {
  return [principal.tenant, principal.key, path]
}
