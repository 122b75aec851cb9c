import { type CallContext, isPlainObject, parseInput } from '../../../core/index.ts'
import { type Actor, decide, notFoundServer } from '../../../policy/index.ts'
import type { ServerRecord } from '../../../registry/index.ts'
import { type Greeted, greet } from '../../ask/ask-session.ts'
import { type RestVerbDeps, requireMethod } from '../enter.ts'
import { ConnectInput, type SessionOut } from '../schemas.ts'
import type { RestSession } from '../sessions.ts'
import { sessionOut } from '../views.ts'

/**
 * Opens a session with a server the actor may use. Throws `invalid_params`, `not_found`,
 * `insufficient_scope`, and what the server or the way to it failed by.
 */
export function createConnect(deps: RestVerbDeps) {
  return async function connect(
    ctx: CallContext,
    actor: Actor,
    input: unknown,
  ): Promise<SessionOut> {
    const { principal } = actor
    const [path = ''] = Object.values(parseInput(ConnectInput, input))
    const snapshot = await deps.snapshots.tenant(ctx, principal.tenant)
    const server = await snapshot.server(ctx, path)
    if (!server?.enabled || decide(actor, server, 'ping').kind === 'unknown_server') {
      throw notFoundServer(path)
    }
    requireMethod(actor, server, 'initialize')
    const greeted = await greet(ctx, deps.ask, principal, server)
    const { leg } = greeted
    const session: RestSession = {
      key: ctx.random.uuid(),
      path: server.path,
      server: server.id,
      era: leg.era,
      ...(leg.version === undefined ? {} : { version: leg.version }),
      ...(leg.sessionId === undefined ? {} : { inner: leg.sessionId }),
      connectedAt: ctx.clock.now(),
    }
    const sessionId = await deps.sessions.seal(principal, session)
    return sessionOut(sessionId, session, factsOf(greeted, server))
  }
}

/** What the server just said of itself, else what it said when it was last asked. */
function factsOf({ hello }: Greeted, { upstream }: ServerRecord): Parameters<typeof sessionOut>[2] {
  const { capabilities, instructions, serverInfo, _meta: meta } = hello
  // A modern server names itself beside its results (MCP 2026-07-28, Discovery).
  const named = isPlainObject(meta) ? meta['io.modelcontextprotocol/serverInfo'] : undefined
  const info = [serverInfo, named].find(isPlainObject)
  return {
    serverInfo: info ?? upstream.serverInfo,
    capabilities: isPlainObject(capabilities) ? capabilities : upstream.capabilities,
    instructions: typeof instructions === 'string' ? instructions : undefined,
  }
}
