import { DurableObject } from 'cloudflare:workers'
import { type Outbound, toGatewayError } from '../core/index.ts'
import type { Recovery, SessionState } from './sessions.ts'
import { closeSession } from './upstream/close-session.ts'
import { type OpenSessionInput, openSession } from './upstream/open-session.ts'

const SCHEMA_VERSION = 1
const NO_SESSION = 'The server forgot the session and gives none any more.'

interface Stored {
  readonly schema: number
  readonly ended: boolean
  /** The id that replaced the one in the sealed session id. */
  readonly upstreamId?: string
}

/**
 * One per mirrored legacy session, woken only on exceptions: it remembers that a session was ended,
 * and opens a forgotten one again exactly once for all isolates that notice (DESIGN.md, Decision 5).
 */
export function createSessionObject(deps: { outbound(env: unknown): Outbound }) {
  return class SessionObject extends DurableObject implements SessionState {
    #reopening: Promise<Recovery> | undefined

    async end(expiresAt: number): Promise<void> {
      await this.#store({ schema: SCHEMA_VERSION, ended: true }, expiresAt)
    }

    async recover(
      failedUpstreamId: string,
      input: OpenSessionInput,
      expiresAt: number,
    ): Promise<Recovery> {
      const stored = await this.ctx.storage.get<Stored>('state')
      if (stored?.ended) return { kind: 'ended' }
      if (stored?.upstreamId !== undefined && stored.upstreamId !== failedUpstreamId) {
        return { kind: 'reopened', upstreamId: stored.upstreamId }
      }
      // Within one object a shared promise is safe, and it is what makes this single-flight.
      this.#reopening ??= this.#reopen(input, expiresAt).finally(() => {
        this.#reopening = undefined
      })
      return this.#reopening
    }

    override async alarm(): Promise<void> {
      await this.ctx.storage.deleteAll()
    }

    async #reopen(input: OpenSessionInput, expiresAt: number): Promise<Recovery> {
      try {
        const outbound = deps.outbound(this.env)
        const { sessionId: upstreamId } = await openSession(outbound, input)
        if (upstreamId === undefined) return { kind: 'failed', message: NO_SESSION }
        // The client may have ended the session while the upstream was asked.
        const stored = await this.ctx.storage.get<Stored>('state')
        if (stored?.ended) {
          const { url, custom: headers, timeoutMs } = input
          await closeSession(outbound, { url, headers, timeoutMs }, upstreamId)
          return { kind: 'ended' }
        }
        await this.#store({ schema: SCHEMA_VERSION, ended: false, upstreamId }, expiresAt)
        return { kind: 'reopened', upstreamId }
      } catch (thrown) {
        return { kind: 'failed', message: toGatewayError(thrown).message }
      }
    }

    async #store(state: Stored, expiresAt: number): Promise<void> {
      await this.ctx.storage.put('state', state)
      await this.ctx.storage.setAlarm(expiresAt)
    }
  }
}
