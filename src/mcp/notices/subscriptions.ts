import { z } from 'zod'
import type { Clock } from '../../core/index.ts'
import { GatewayError } from '../../core/index.ts'
import {
  openChannel,
  SESSION_TTL_MS,
  type SessionStub,
  SUBSCRIPTIONS,
} from '../session/session-state.ts'
import { sessionNotFound } from '../session/sessions.ts'

/**
 * What a legacy client has subscribed to where the gateway itself tells of it: at upstreams that have
 * no such sessions. Held by the client's SessionObject, so that the isolate of its stream hears of
 * what is asked of another one.
 */
export interface Subscriptions {
  /** Idempotent. Throws `session_not_found`, and `invalid_params` for one too many. */
  subscribe(session: SessionKey, uri: string): Promise<void>
  /** Idempotent. Throws `session_not_found`. */
  unsubscribe(session: SessionKey, uri: string): Promise<void>
  /**
   * Follows them: gives those of now, and tells each time which they are. Undefined when the session
   * has ended; `onEnd` is called when it ends later.
   */
  follow(
    session: SessionKey,
    onChange: (uris: readonly string[]) => void,
    onEnd: () => void,
  ): Promise<Followed | undefined>
}

export interface Followed {
  readonly uris: readonly string[]
  stop(): void
}

type SessionKey = { readonly key: string }

const Uris = z.array(z.string())

/** @see Subscriptions */
export function createSubscriptions(deps: {
  readonly clock: Clock
  readonly object: (key: string) => SessionStub
}): Subscriptions {
  const set = async ({ key }: SessionKey, uri: string, isWanted: boolean): Promise<void> => {
    const expiresAt = deps.clock.now() + SESSION_TTL_MS
    const outcome = await deps.object(key).subscribe(uri, isWanted, expiresAt)
    if (outcome === 'ended') throw sessionNotFound()
    if (outcome === 'full') {
      throw new GatewayError('invalid_params', 'The session has too many subscriptions.', {
        fix: 'Unsubscribe from what is not needed any more.',
      })
    }
  }
  return {
    subscribe: (session, uri) => set(session, uri, true),
    unsubscribe: (session, uri) => set(session, uri, false),

    async follow({ key }, onChange, onEnd) {
      const object = deps.object(key)
      const socket = await openChannel(object, SUBSCRIPTIONS)
      if (!socket) return undefined
      socket.addEventListener('message', ({ data }) => {
        const uris = Uris.safeParse(JSON.parse(String(data)))
        if (uris.success) onChange(uris.data)
      })
      socket.addEventListener('close', onEnd)
      try {
        return { uris: await object.subscribed(), stop: () => socket.close() }
      } catch (thrown) {
        socket.close()
        throw thrown
      }
    },
  }
}
