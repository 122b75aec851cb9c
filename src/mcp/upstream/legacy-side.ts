import { GatewayError, type Outbound } from '../../core/index.ts'
import type { UpstreamAddress, UpstreamFacts } from '../../registry/index.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS } from '../messages.ts'
import { closeSession } from './close-session.ts'
import { openSession } from './open-session.ts'

/** How a modern upstream serves the legacy handshake. */
export interface LegacySide {
  readonly versions: readonly string[]
  readonly sessionful: boolean
}

/**
 * Asks a modern upstream for the legacy handshake, and ends the session it opened. Undefined for one
 * that does not serve it. Throws `upstream_timeout`: silence says neither.
 */
export async function askLegacySide(
  outbound: Outbound,
  server: string,
  upstream: UpstreamAddress,
): Promise<LegacySide | undefined> {
  const { url, headers: custom, timeoutMs } = upstream
  const hello = {
    // Every legacy server negotiates from the newest down.
    protocolVersion: LEGACY_VERSIONS[0],
    capabilities: {},
    clientInfo: GATEWAY_INFO,
  }
  const answer = await openSession(outbound, { server, url, custom, timeoutMs, hello }).catch(
    (thrown: unknown) => {
      if (thrown instanceof GatewayError && thrown.code === 'upstream_failed') return undefined
      throw thrown
    },
  )
  if (!answer) return undefined
  if (answer.sessionId !== undefined) await closeSession(outbound, upstream, answer.sessionId)
  // Some answer anything; only one who names a legacy revision speaks it.
  if (!LEGACY_VERSIONS.some((spoken) => spoken === answer.version)) return undefined
  return { versions: [answer.version], sessionful: answer.sessionId !== undefined }
}

/** What a modern upstream is once it was asked. */
export function withLegacySide(facts: UpstreamFacts, side: LegacySide | undefined): UpstreamFacts {
  const { legacy: _untried, ...modern } = facts
  if (!side) return modern
  return {
    ...modern,
    eras: 'dual',
    protocolVersions: [...new Set([...facts.protocolVersions, ...side.versions])],
    sessionful: side.sessionful,
  }
}
