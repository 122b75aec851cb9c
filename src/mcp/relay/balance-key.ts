import { type Outgoing, ownSession } from './outgoing.ts'

/** What a call is kept together by. */
export type KeyParts = Pick<Outgoing, 'headers' | 'target' | 'session' | 'bridged' | 'shared'>

/**
 * For a server that is balanced by `consistent-hash`: what its calls are kept together by. Where
 * there is no such header, or no session, it is the principal.
 */
export function balanceKey(parts: KeyParts): (() => string) | undefined {
  const { balancer, hashBy = 'principal' } = parts.target.server.resilience
  if (balancer !== 'consistent-hash') return undefined
  const principal = parts.target.actor.principal.key
  return () => {
    if (hashBy === 'principal') return principal
    if (hashBy === 'session') return ownSession(parts)?.key ?? parts.session?.key ?? principal
    return parts.headers.get(hashBy.header) ?? principal
  }
}
