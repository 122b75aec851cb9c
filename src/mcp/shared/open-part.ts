import { type CallContext, callerFacts, type ErrorCode, toGatewayError } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { notFoundServer } from '../../policy/index.ts'
import type { Arrival } from '../relay/arrive.ts'
import { requireHearing } from '../relay/listening.ts'
import type { StreamRequest } from '../relay/relay-stream.ts'
import type { Target } from '../relay/target.ts'
import type { ResumePoint } from '../session/event-ids.ts'
import type { UpstreamSession } from '../session/session-state.ts'
import type { SharedSession } from '../session/sessions.ts'
import type { SharedEndpoint } from './endpoint.ts'
import type { PartOpening } from './followers.ts'
import type { SharedSessions } from './sessions.ts'
import { namesOf } from './translation.ts'

export interface OpenPartDeps {
  readonly events: Events
  readonly sharedSessions: Pick<SharedSessions, 'leg'>
  readonly relayStream: (ctx: CallContext, wanted: StreamRequest) => Promise<Response>
}

/** The stream of a shared endpoint that the parts belong to. */
export interface WholeStream {
  /** Its endpoint by the policy of now. Throws what refuses it. */
  readonly arrive: () => Promise<Pick<Arrival, 'actor' | 'snapshot'> & { endpoint: SharedEndpoint }>
  readonly path: string
  readonly session: SharedSession
  /** Where its client left the stream of one server. */
  readonly resume?: ResumePoint
}

/** There is no stream to be had, now or later. */
const REFUSALS: readonly ErrorCode[] = [
  // Not every server opens one (MCP 2025-11-25, Listening for Messages from the Server).
  'method_not_allowed',
  'not_found',
  'insufficient_scope',
  'session_not_found',
  'unauthenticated',
]

/** Opens the stream of one upstream session, as the policy is when it is opened. */
export function createOpenPart(deps: OpenPartDeps, ctx: CallContext, whole: WholeStream) {
  // The event line tells of the whole.
  const part: CallContext = {
    ...ctx,
    facts: callerFacts(ctx.facts),
    holdEvent: () => () => undefined,
  }
  let { resume } = whole

  async function targetNow({ server: id, path }: UpstreamSession): Promise<Target> {
    const { actor, snapshot, endpoint } = await whole.arrive()
    const server = await snapshot.server(ctx, path)
    if (server?.id !== id || !server.enabled || !takesPart(endpoint, path)) {
      throw notFoundServer(path)
    }
    const target = { actor, server }
    requireHearing(target)
    return target
  }

  /** Never rejects. */
  return async function openPart(upstream: UpstreamSession): Promise<PartOpening> {
    try {
      const target = await targetNow(upstream)
      const { session } = whole
      const leg = await deps.sharedSessions.leg(part, session, target.server)
      const { body } = await deps.relayStream(part, {
        target,
        targetNow: () => targetNow(upstream),
        version: leg.version,
        ...(leg.session ? { session: leg.session } : {}),
        ...(resume?.server === upstream.server ? { resume } : {}),
        shared: { path: whole.path, names: namesOf(target.server.path), session },
      })
      if (!body) return { kind: 'failed' }
      if (resume?.server === upstream.server) resume = undefined
      return { kind: 'open', body }
    } catch (thrown) {
      if (REFUSALS.includes(toGatewayError(thrown).code)) return { kind: 'refused' }
      emitFault(deps.events, ctx, 'shared.stream', thrown)
      return { kind: 'failed' }
    }
  }
}

/** A virtual server that offers nothing of a server any more tells nothing of it either. */
function takesPart(endpoint: SharedEndpoint, path: string): boolean {
  return endpoint.kind !== 'virtual' || endpoint.virtual.items.some(({ server }) => server === path)
}
