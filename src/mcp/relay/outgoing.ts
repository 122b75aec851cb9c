import type { NameTranslation } from '../answer/answer-rules.ts'
import type { InboundRequest } from '../eras.ts'
import type { BridgedSession, LegacySession, SharedSession } from '../session/sessions.ts'
import type { Target } from './target.ts'

/** Everything known about one request when it leaves. */
export interface Outgoing {
  readonly inbound: InboundRequest
  readonly headers: Headers
  readonly target: Target
  /** The opened legacy session, when the client sent one. */
  readonly session?: LegacySession
  /** The client's session with us, where its server knows no sessions of this era. */
  readonly bridged?: BridgedSession
  /** The sealed id of the task that the request is about; `inbound` has the server's own. */
  readonly taskId?: string
  /** Where several servers share an endpoint: how this one is named there. */
  readonly shared?: SharedLeg
}

/** What is different for a request that came through a shared endpoint. */
export interface SharedLeg {
  /** Path of the endpoint. */
  readonly path: string
  readonly names: NameTranslation
  /** What the gateway has to say of the result, in its `_meta`: raw JSON by key. */
  readonly notes?: Readonly<Record<string, () => string>>
  /** Of a legacy client. */
  readonly session?: SharedSession
}

/** The session that a legacy client has with the gateway itself. */
export function ownSession({
  bridged,
  shared,
}: Pick<Outgoing, 'bridged' | 'shared'>): BridgedSession | SharedSession | undefined {
  return shared?.session ?? bridged
}
