import { type CallContext, GatewayError, type Principal, type TenantId } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { EventsStub } from './notice.ts'
import { openSocket, PING, PING_MS } from './socket.ts'

/**
 * Streams that a client opens to be told things, counted over all isolates with those of changes: a
 * place is a socket at the tenant's `EventsObject` on which nothing is said.
 */
export interface Places {
  /** Gives what leaves the place. Throws `rate_limited` when there is none. */
  take(ctx: CallContext, principal: Principal): Promise<() => void>
}

/** For what has its place already. */
export const PLACE_TAKEN: Places = { take: async () => () => undefined }

/** @see Places */
export function createPlaces(deps: {
  readonly eventsObject: (tenant: TenantId) => Pick<EventsStub, 'fetch'>
  readonly events: Events
}): Places {
  return {
    async take(ctx, principal) {
      try {
        const object = deps.eventsObject(principal.tenant)
        const socket = await openSocket(object, principal, ctx.random.uuid())
        const pinging = setInterval(() => socket.send(PING), PING_MS)
        let isLeft = false
        const leave = (): void => {
          if (isLeft) return
          isLeft = true
          clearInterval(pinging)
          socket.close(1000, 'done')
        }
        // An object that began anew has lost count: the stream goes on, and ends by its own time.
        socket.addEventListener('close', leave)
        socket.addEventListener('error', leave)
        return leave
      } catch (thrown) {
        if (thrown instanceof GatewayError) throw thrown
        // To count is a courtesy among clients; what they are served does not hang on it.
        emitFault(deps.events, ctx, 'places', thrown)
        return () => undefined
      }
    },
  }
}
