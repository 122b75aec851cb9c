import { GatewayError } from '../../core/index.ts'
import { type Actor, decide, notFoundServer } from '../../policy/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import { type Inbound, unsupportedVersion } from '../eras.ts'
import { LEGACY_VERSIONS, MODERN_VERSION } from '../messages.ts'
import { requireAllowed, unknownTool } from './require-allowed.ts'

/** The server a request is for, and what its caller may do. */
export interface Target {
  readonly actor: Actor
  readonly server: ServerRecord
}

/**
 * Asks the policy about what the body says, never about what a header says. A denial reads like
 * something unknown (DESIGN.md, Decision 7).
 */
export function authorise({ actor, server }: Target, inbound: Inbound): void {
  const method = inbound.kind === 'response' ? 'notifications/response' : inbound.method
  const name = inbound.kind === 'request' ? inbound.name : undefined
  requireAllowed(decide(actor, server, method, name), {
    unknown_server: () => notFoundServer(server.path),
    unknown_method: () => new GatewayError('method_not_found', 'Method not found'),
    unknown_tool: () => unknownTool(name ?? ''),
  })
}

/**
 * Refuses what cannot be mirrored: the two sides speak different eras. The error is the one that
 * makes a dual-era client fall back (MCP 2026-07-28, Versioning).
 */
export function requireSameEra(server: ServerRecord, inbound: Inbound): void {
  const { eras, protocolVersions } = server.upstream
  if (eras === 'unknown' || eras === 'dual' || eras === inbound.era) return
  if (inbound.era === 'modern') {
    const legacy = protocolVersions.filter((version) => version !== MODERN_VERSION)
    throw unsupportedVersion(MODERN_VERSION, legacy.length > 0 ? legacy : LEGACY_VERSIONS)
  }
  const named = inbound.kind === 'request' ? inbound.params['protocolVersion'] : undefined
  const requested = typeof named === 'string' ? named : (inbound.version ?? LEGACY_VERSIONS[0])
  throw unsupportedVersion(requested, [MODERN_VERSION])
}
