import { z } from 'zod'
import type { Clock, Principal, Sealer } from '../../core/index.ts'
import { SESSION_TTL_MS } from '../session/session-state.ts'
import { sessionNotFound } from '../session/sessions.ts'

const StreamId = z.object({ kind: z.literal('stream'), key: z.uuid() })

/** The session at the endpoint that a stream speaks in, and what was agreed in it. */
export const Greeted = z.object({
  /** `Mcp-Session-Id`; absent where the server gives none. */
  sessionId: z.string().optional(),
  /** The revision agreed upon. */
  version: z.string().optional(),
})
export type Greeted = Readonly<z.infer<typeof Greeted>>
const Left = Greeted.extend({ kind: z.literal('left') })

/**
 * What the clients of streams hold, sealed to tenant, principal and path. It gives nothing to
 * anybody else: every POST and GET proves who sends it.
 */
export interface StreamIds {
  /** The `sessionId` in the URL for messages. */
  seal(principal: Principal, path: string, key: string): Promise<string>
  /** The key of the stream. Throws `session_not_found`, alike for unknown, foreign and expired. */
  open(principal: Principal, path: string, sessionId: string): Promise<string>
  /** The event id by which a client goes on in its session after its stream was full. */
  sealGreeted(principal: Principal, path: string, greeted: Greeted): Promise<string>
  /** Undefined for what is no such id of this caller here: then the stream begins anew. */
  openGreeted(principal: Principal, path: string, eventId: string): Promise<Greeted | undefined>
}

/** @see StreamIds */
export function createStreamIds(deps: {
  readonly sealer: Sealer
  readonly clock: Clock
}): StreamIds {
  const seal = (principal: Principal, path: string, value: object): Promise<string> =>
    deps.sealer.seal('sse', binding(principal, path), value, deps.clock.now() + SESSION_TTL_MS)
  const open = (principal: Principal, path: string, sealed: string) =>
    deps.sealer.open('sse', binding(principal, path), sealed)

  return {
    seal: (principal, path, key) => seal(principal, path, { kind: 'stream', key }),

    async open(principal, path, sessionId) {
      const id = StreamId.safeParse(await open(principal, path, sessionId))
      if (!id.success) throw sessionNotFound()
      return id.data.key
    },

    sealGreeted: (principal, path, greeted) => seal(principal, path, { ...greeted, kind: 'left' }),

    async openGreeted(principal, path, eventId) {
      const left = Left.safeParse(await open(principal, path, eventId))
      if (!left.success) return undefined
      const { kind: _, ...greeted } = left.data
      return greeted
    },
  }
}

function binding({ tenant, key }: Principal, path: string): string[] {
  return [tenant, key, path]
}
