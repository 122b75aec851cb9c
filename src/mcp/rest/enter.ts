import { type CallContext, ERROR_WIRE, GatewayError } from '../../core/index.ts'
import { type Actor, decide } from '../../policy/index.ts'
import type { ServerRecord, Snapshots } from '../../registry/index.ts'
import type { Ask } from '../ask/ask.ts'
import type { Leg } from '../ask/ask-request.ts'
import { requireAllowed } from '../relay/require-allowed.ts'
import { type RestSession, type RestSessions, restSessionNotFound } from './sessions.ts'

/** What the verbs of a REST session are made of. */
export interface RestVerbDeps {
  readonly ask: Ask
  readonly snapshots: Pick<Snapshots, 'tenant'>
  readonly sessions: RestSessions
}

/** An open session, its server, and how to speak with it. */
export interface Entered {
  readonly session: RestSession
  readonly server: ServerRecord
  readonly leg: Leg
}

/**
 * The actor's session, for one who may still reach its server. Throws `session_not_found` also when
 * the server is gone, disabled, another one of that name, of another era now, or not the actor's.
 */
export async function enter(
  ctx: CallContext,
  deps: RestVerbDeps,
  actor: Actor,
  sessionId: string,
): Promise<Entered> {
  const session = await deps.sessions.open(actor.principal, sessionId)
  const snapshot = await deps.snapshots.tenant(ctx, actor.principal.tenant)
  const server = await snapshot.server(ctx, session.path)
  if (!server?.enabled || server.id !== session.server || !speaks(server, session)) {
    throw restSessionNotFound()
  }
  if (decide(actor, server, 'ping').kind === 'unknown_server') throw restSessionNotFound()
  return { session, server, leg: legOf(session) }
}

/** How the session's server is spoken to. */
export function legOf({ era, version, inner }: RestSession): Leg {
  return {
    era,
    ...(version === undefined ? {} : { version }),
    ...(inner === undefined ? {} : { sessionId: inner }),
  }
}

function speaks({ upstream: { eras } }: ServerRecord, { era }: RestSession): boolean {
  return eras === 'unknown' || eras === 'dual' || eras === era
}

/**
 * Passes when the actor may send this method, and call this tool. Throws `method_not_found`,
 * `not_found` for a tool that is unknown or not the actor's, and `insufficient_scope`.
 */
export function requireMethod(
  actor: Actor,
  server: ServerRecord,
  method: string,
  tool?: string,
): void {
  requireAllowed(decide(actor, server, method, tool), {
    unknown_server: restSessionNotFound,
    unknown_method: () =>
      new GatewayError('method_not_found', `The server does not serve ${method}.`),
    unknown_tool: () =>
      new GatewayError('not_found', `There is no tool named ${JSON.stringify(tool)}.`),
  })
}

/**
 * What the relay refused with, as REST says it: an inner session that is gone ends the outer one,
 * and what MCP reports within a successful answer is not found here.
 */
export function inRestWords(thrown: unknown): unknown {
  if (!(thrown instanceof GatewayError)) return thrown
  if (thrown.code === 'session_not_found') return restSessionNotFound()
  const isInBand = ERROR_WIRE[thrown.code].status === 200
  return isInBand ? new GatewayError('not_found', `${thrown.message}.`) : thrown
}
