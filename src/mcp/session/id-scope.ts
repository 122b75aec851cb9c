import { type Outgoing, ownSession } from '../relay/outgoing.ts'
import type { InFlightCall } from './in-flight.ts'

/** Within what a client's ids are its own: its session, or else itself on one server. */
export function idScope(
  of: Pick<Outgoing, 'target' | 'session' | 'bridged' | 'shared'>,
): Pick<InFlightCall, 'scope' | 'session'> {
  const key = ownSession(of)?.key ?? of.session?.key
  if (key !== undefined) return { scope: key, session: key }
  const { actor, server } = of.target
  return { scope: `${actor.principal.key}\n${server.id}` }
}
