import { type CallContext, GatewayError, parseInput } from '../../../core/index.ts'
import type { Actor } from '../../../policy/index.ts'
import { upstreamError } from '../../ask/ask-session.ts'
import { enter, inRestWords, type RestVerbDeps, requireMethod } from '../enter.ts'
import { CallToolInput, type CallToolOut } from '../schemas.ts'

/**
 * Calls a tool of the session's server. A tool that fails is a result with `is_error`. Throws
 * `session_not_found`, `invalid_params`, `not_found`, `insufficient_scope`, and what the server or
 * the way to it failed by.
 */
export function createCallTool(deps: RestVerbDeps) {
  return async function callTool(
    ctx: CallContext,
    actor: Actor,
    sessionId: string,
    input: unknown,
  ): Promise<CallToolOut> {
    const { server, leg } = await enter(ctx, deps, actor, sessionId)
    const { tool_name, name = tool_name, arguments: args } = parseInput(CallToolInput, input)
    requireMethod(actor, server, 'tools/call', name)
    const request = { method: 'tools/call', params: { name, arguments: args } }
    const answer = await deps.ask
      .request(ctx, actor.principal, server, leg, request)
      .catch((thrown: unknown) => {
        throw inRestWords(thrown)
      })
    if (answer.kind === 'error') throw upstreamError(server, answer)
    const { content, structuredContent, isError, resultType } = answer.result
    if (resultType === 'input_required') throw wantsInput(server.path)
    return {
      content: Array.isArray(content) ? content : [],
      ...(structuredContent === undefined ? {} : { structured_content: structuredContent }),
      is_error: isError === true,
    }
  }
}

/** We declared no capabilities, so a server that asks is at fault (MCP 2026-07-28, MRTR). */
function wantsInput(path: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${path}" asks for input, which a REST session cannot give.`,
    { fix: 'Call the tool with an MCP client.' },
  )
}
