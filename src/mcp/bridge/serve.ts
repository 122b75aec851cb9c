import type { CallContext, Principal } from '../../core/index.ts'
import { noStream } from '../eras.ts'
import type { Notices } from '../notices/index.ts'
import { bridged, type ClientSession } from '../session/sessions.ts'
import { createServeLegacy, type LegacyVisit, type ServeLegacyDeps } from './serve-legacy.ts'
import { createServeModern, type ModernVisit } from './serve-modern.ts'

/** Serves clients of one era at one server of the other. */
export interface ServeBridged {
  /** Throws what refuses the message. */
  message(
    ctx: CallContext,
    visit: ModernVisit,
    session: ClientSession | undefined,
  ): Promise<Response>
  /** The stream that a legacy client opens by GET. Throws what refuses it. */
  stream(ctx: CallContext, hearing: Hearing, session: ClientSession | undefined): Promise<Response>
}

/** A legacy client that wants to hear a modern server. */
export type Hearing = Pick<LegacyVisit, 'target'> & {
  readonly principal: Principal
  readonly path: string
}

/** @see ServeBridged */
export function createServeBridged(
  deps: Omit<ServeLegacyDeps, 'subscriptions'> & { readonly notices: Notices },
): ServeBridged {
  const { notices } = deps
  const serveLegacy = createServeLegacy({ ...deps, subscriptions: notices.subscriptions })
  const serveModern = createServeModern(deps)
  return {
    async message(ctx, visit, session) {
      if (visit.inbound.era === 'modern') return serveModern(ctx, visit)
      return serveLegacy(ctx, { ...visit, ...bridged(session, visit.target.server.id) })
    },

    async stream(ctx, { target, principal, path }, session) {
      const own = bridged(session, target.server.id).bridged
      if (!own) throw noStream()
      return notices.stream(ctx, { principal, path, session: own })
    },
  }
}
