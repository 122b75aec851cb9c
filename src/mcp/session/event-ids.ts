import { z } from 'zod'
import {
  type Clock,
  GatewayError,
  type Principal,
  type Sealer,
  ServerId,
} from '../../core/index.ts'

/** The stream that an event was part of. */
export const EventStreamOf = z.object({
  /** Key of the client's session; empty where there is none. */
  session: z.string(),
  server: ServerId,
  /** Of the request that the stream answers; absent for one that the client opened by GET. */
  request: z
    .object({
      method: z.string(),
      /** Raw JSON, as the client wrote it. */
      clientId: z.string(),
      /** Raw JSON, as the upstream knows it. */
      upstreamId: z.string(),
    })
    .optional(),
})
export type EventStreamOf = z.infer<typeof EventStreamOf>

const Sealed = EventStreamOf.extend({ eventId: z.string() })
/** Where a client left a stream: the upstream's own event id, and what the stream was. */
export type ResumePoint = z.infer<typeof Sealed>

/**
 * Event ids as clients see them: the upstream's own, sealed with the stream that they belong to, so
 * that nobody resumes a stream of somebody else, or one stream with the id of another (MCP
 * 2025-11-25, Resumability and Redelivery). The gateway keeps nothing.
 */
export interface EventIds {
  /**
   * Gives the function that seals the ids of one stream; undefined for one whose ids would not fit
   * a header.
   */
  sealer(
    principal: Principal,
    path: string,
    stream: EventStreamOf,
  ): ((eventId: string) => Promise<string>) | undefined
  /** Throws `unknown_event`, in the same words whatever is wrong with it. */
  open(principal: Principal, path: string, session: string, eventId: string): Promise<ResumePoint>
}

/** A client may choose ids of any length; they travel in every event id. */
const MAX_CLIENT_ID_CHARS = 256

const EVENT_TTL_MS = 24 * 60 * 60 * 1000

/** @see EventIds */
export function createEventIds(deps: { readonly sealer: Sealer; readonly clock: Clock }): EventIds {
  return {
    sealer(principal, path, stream) {
      if ((stream.request?.clientId.length ?? 0) > MAX_CLIENT_ID_CHARS) return undefined
      const binding = [principal.tenant, principal.key, path]
      return (eventId) => {
        const expiresAt = deps.clock.now() + EVENT_TTL_MS
        return deps.sealer.seal('event', binding, { ...stream, eventId }, expiresAt)
      }
    },

    async open(principal, path, session, eventId) {
      const binding = [principal.tenant, principal.key, path]
      const point = Sealed.safeParse(await deps.sealer.open('event', binding, eventId))
      if (point.success && point.data.session === session) return point.data
      throw new GatewayError('unknown_event', 'There is no such event in this session.')
    },
  }
}

/** Where a client left a stream, when it says so. Throws `unknown_event`. */
export async function resumePoint(
  eventIds: EventIds,
  principal: Principal,
  path: string,
  headers: Headers,
  session: { readonly key: string } | undefined,
): Promise<ResumePoint | undefined> {
  const eventId = headers.get('last-event-id')
  return eventId === null ? undefined : eventIds.open(principal, path, session?.key ?? '', eventId)
}
