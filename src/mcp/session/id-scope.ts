import type { Outgoing } from '../relay/outgoing.ts'
import type { Target } from '../relay/target.ts'
import type { InFlightCall } from './in-flight.ts'
import type { LegacySession } from './sessions.ts'

/** Within what a client's ids are its own: its session, or else itself on one server. */
export function idScope(
  { actor, server }: Target,
  session: Pick<LegacySession, 'key'> | undefined,
  shared: Outgoing['shared'],
): Pick<InFlightCall, 'scope' | 'session'> {
  const key = shared?.session?.key ?? session?.key
  if (key !== undefined) return { scope: key, session: key }
  return { scope: `${actor.principal.key}\n${server.id}` }
}
