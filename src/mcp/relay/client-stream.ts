import type { CallContext, Principal } from '../../core/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { Places } from '../notices/index.ts'
import { type EventIds, resumePoint } from '../session/event-ids.ts'
import type { LegacySession } from '../session/sessions.ts'
import { authoriseAgain } from './listening.ts'
import type { StreamRequest } from './relay-stream.ts'
import type { Target } from './target.ts'

/** A GET of a legacy client at the endpoint of one server, which it may hear. */
export interface ClientStream {
  readonly target: Target
  readonly principal: Principal
  readonly path: string
  readonly headers: Headers
  /** That the client announced. */
  readonly version: string | undefined
  readonly session?: LegacySession
  /** Called once its server has been asked. */
  readonly onSent: () => void
}

export interface ClientStreamDeps {
  readonly snapshots: Snapshots
  readonly eventIds: EventIds
  readonly places: Places
  readonly relayStream: (ctx: CallContext, wanted: StreamRequest) => Promise<Response>
}

/** Throws what refuses it. */
export type OpenClientStream = (ctx: CallContext, asked: ClientStream) => Promise<Response>

/** Opens it where its client left it, in a place of its principal. */
export function createClientStream(deps: ClientStreamDeps): OpenClientStream {
  return async (ctx, { target, principal, path, headers, version, session, onSent }) => {
    const resume = await resumePoint(deps.eventIds, principal, path, headers, session)
    const announced = version ?? session?.hello?.protocolVersion
    const onOver = await deps.places.take(ctx, principal)
    return deps.relayStream(ctx, {
      ...{ target, onOver, onSent },
      targetNow: () => authoriseAgain(ctx, deps.snapshots, principal, path),
      ...(session ? { session } : {}),
      ...(announced === undefined ? {} : { version: announced }),
      ...(resume ? { resume } : {}),
    })
  }
}
