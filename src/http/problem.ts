import { ERROR_WIRE, type GatewayError } from '../core/index.ts'

/** An RFC 9457 problem document: what, why, how to fix, and the id to quote. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fix: string
  readonly requestId: string
}

/** The HTTP answer to an error outside MCP. */
export function problemResponse(error: GatewayError, requestId: string): Response {
  const wire = ERROR_WIRE[error.code]
  const problem: Problem = {
    ...error.detail.data,
    type: `urn:gatehouse:error:${error.code}`,
    title: wire.title,
    status: wire.status,
    code: error.code,
    detail: error.message,
    fix: error.detail.fix ?? wire.fix,
    requestId,
  }
  return new Response(JSON.stringify(problem), {
    status: wire.status,
    headers: {
      ...error.detail.headers,
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
    },
  })
}
