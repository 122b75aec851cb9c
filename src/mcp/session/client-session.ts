import { z } from 'zod'
import {
  EndpointId,
  GatewayError,
  type MaybePromise,
  type Principal,
  type Sealer,
  ServerId,
  setBounded,
} from '../../core/index.ts'

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

/** A session with one server that knows none of this era: the gateway answers for it. */
export const BridgedSession = z.object({
  kind: z.literal('bridged'),
  key: z.uuid(),
  server: ServerId,
  hello: Hello,
})
export type BridgedSession = z.infer<typeof BridgedSession>

export type ClientSession = SharedSession | BridgedSession | LegacySession
export const ClientSession = z.union([SharedSession, BridgedSession, LegacySession])

/** To open a seal costs as much as the rest of what a session does to a call. */
const OPENED_MS = 60_000
/** With their seals a few KiB each. */
const MAX_OPENED = 2_000

interface Opened {
  readonly session: ClientSession
  readonly until: number
}

/** Reads what a session id seals, at once where it was read a while ago. Throws `session_not_found`. */
export type Unseal = (
  principal: Principal,
  path: string,
  sessionId: string,
) => MaybePromise<ClientSession>

/** @see Unseal. Keep one per isolate. */
export function createUnseal({
  sealer,
  clock,
}: {
  readonly sealer: Pick<Sealer, 'open'>
  readonly clock: { now(): number }
}): Unseal {
  /** By the seal and all that it is bound to. Whether a session has ended is asked each time. */
  const opened = new Map<string, Opened>()

  async function open(key: string, boundTo: string[], sessionId: string): Promise<ClientSession> {
    const now = clock.now()
    const session = ClientSession.safeParse(await sealer.open('session', boundTo, sessionId)).data
    if (!session) throw sessionNotFound()
    setBounded(opened, key, { session, until: now + OPENED_MS }, MAX_OPENED)
    return session
  }

  return (principal, path, sessionId) => {
    const boundTo = sealBinding(principal, path)
    const key = [...boundTo, sessionId].join('\n')
    const known = opened.get(key)
    return known && clock.now() < known.until ? known.session : open(key, boundTo, sessionId)
  }
}

/** The same words for unknown, foreign, expired and ended: nothing leaks about which. */
export function sessionNotFound(): GatewayError {
  return new GatewayError('session_not_found', 'The session is unknown, expired or was ended.')
}

/** What the seal of a session id holds for, and nothing else. */
export function sealBinding(principal: Principal, path: string): string[] {
  return [principal.tenant, principal.key, path]
}
