import { GatewayError } from '../../core/index.ts'
import { type Actor, decide, notFoundServer } from '../../policy/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import type { Inbound } from '../eras.ts'
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
