import type { GatewayError } from '../../core/index.ts'
import type { UpstreamAddress, UpstreamFacts } from '../../registry/index.ts'
import { LEGACY_VERSIONS } from '../messages.ts'
import { closeSession } from './close-session.ts'
import type { Outcome } from './failure.ts'
import { GATEWAY_HELLO } from './gateway-hello.ts'
import { openSession } from './open-session.ts'
import type { UpstreamOutbound } from './transports.ts'

/** How a modern upstream serves the legacy handshake. */
export interface LegacySide {
  readonly versions: readonly string[]
  readonly sessionful: boolean
}

/** What a modern upstream says to the legacy handshake; silence and failure say nothing. */
export type LegacyAnswer =
  | {
      readonly kind: 'settled'
      /** Undefined for one that does not serve it. */
      readonly side: LegacySide | undefined
      readonly outcome: 'success'
      readonly status?: number | undefined
    }
  | {
      readonly kind: 'unsettled'
      readonly error: GatewayError
      readonly outcome: Outcome | undefined
      /** The HTTP status that refused it. */
      readonly status?: number | undefined
    }

/** Asks a modern upstream for the legacy handshake, and ends the session it opened. */
export async function askLegacySide(
  outbound: UpstreamOutbound,
  server: string,
  upstream: UpstreamAddress,
  signal?: AbortSignal,
): Promise<LegacyAnswer> {
  const { headers: custom, ...where } = upstream
  const input = { server, ...where, custom, hello: GATEWAY_HELLO }
  const answer = await openSession(outbound, input, signal)
  if (answer.kind === 'failed') {
    const { error, outcome, status } = answer
    if (outcome !== 'success') return { kind: 'unsettled', error, outcome, status }
    return { kind: 'settled', side: undefined, outcome, status }
  }
  const { sessionId, version, outcome } = answer
  if (sessionId !== undefined) await closeSession(outbound, upstream, sessionId)
  // Some answer anything; only one who names a legacy revision speaks it.
  const isSpoken = LEGACY_VERSIONS.some((spoken) => spoken === version)
  const side = { versions: [version], sessionful: sessionId !== undefined }
  return { kind: 'settled', side: isSpoken ? side : undefined, outcome }
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
