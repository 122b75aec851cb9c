import { type CallContext, parseInput } from '../../../core/index.ts'
import type { Actor } from '../../../policy/index.ts'
import { upstreamError } from '../../ask/ask-session.ts'
import { enter, inRestWords, type RestVerbDeps, requireMethod } from '../enter.ts'
import { ReadResourceInput, type ReadResourceOut } from '../schemas.ts'

/**
 * Reads a resource of the session's server. Throws `session_not_found`, `invalid_params`,
 * `method_not_found`, `insufficient_scope`, and what the server or the way to it failed by.
 */
export function createReadResource(deps: RestVerbDeps) {
  return async function readResource(
    ctx: CallContext,
    actor: Actor,
    sessionId: string,
    input: unknown,
  ): Promise<ReadResourceOut> {
    const { server, leg } = await enter(ctx, deps, actor, sessionId)
    const params = parseInput(ReadResourceInput, input)
    const request = { method: 'resources/read', params }
    requireMethod(actor, server, request.method)
    const answer = await deps.ask
      .request(ctx, actor.principal, server, leg, request)
      .catch((thrown: unknown) => {
        throw inRestWords(thrown)
      })
    if (answer.kind === 'error') throw upstreamError(server, answer)
    const { contents } = answer.result
    return { contents: Array.isArray(contents) ? contents : [] }
  }
}
