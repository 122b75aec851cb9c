import type { ErrorHandler, NotFoundHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { type CallContext, GatewayError, toGatewayError } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import { problemResponse } from './problem.ts'
import type { HttpEnv } from './request-context.ts'

/** What a request becomes whose handling threw. */
export type RenderProblem = (call: CallContext, thrown: unknown) => Response

/**
 * Renders whatever was thrown as a problem document; what we did not foresee is an event too.
 * `challenge` gives the `WWW-Authenticate` of a 403 that a step-up cures.
 */
export function createRenderProblem(
  events: Events,
  challenge: (scope: string) => string,
): RenderProblem {
  return (call, thrown) => {
    const error = thrown instanceof HTTPException ? fromHono(thrown) : toGatewayError(thrown)
    call.facts.outcome = error.code
    if (error.code === 'internal') emitFault(events, call, 'http', thrown)
    const response = problemResponse(error, call.requestId)
    if (error.code === 'insufficient_scope') {
      const scope = String(error.detail.data?.['scope'])
      response.headers.set('www-authenticate', challenge(scope))
    }
    return response
  }
}

/** The same for what hono's routes throw. */
export function problemHandler(render: RenderProblem): ErrorHandler<HttpEnv> {
  return (thrown, c) => render(c.env.call, thrown)
}

/** A path that no route owns. */
export const notFoundHandler: NotFoundHandler<HttpEnv> = (c) => {
  c.get('call').facts.outcome = 'not_found'
  return problemResponse(
    new GatewayError('not_found', 'There is nothing at this path.', {
      fix: 'See /openapi.json for the paths of the REST API, and /{server}/mcp for MCP.',
    }),
    c.get('call').requestId,
  )
}

function fromHono(exception: HTTPException): GatewayError {
  if (exception.status === 413) return new GatewayError('body_too_large', 'The body is too large.')
  if (exception.status < 500) return new GatewayError('invalid_request', exception.message)
  return toGatewayError(exception)
}
