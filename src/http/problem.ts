import { ERROR_WIRE, type GatewayError } from '../core/index.ts'

/** An RFC 9457 problem document: what, why, how to fix, and the id to quote. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fix: string
  /** Absent where nothing of the request was looked at. */
  readonly requestId?: string
}

/** A problem document as it is sent, again and again where it is always the same. */
export interface WrittenProblem {
  readonly text: string
  readonly init: { readonly status: number; readonly headers: Readonly<Record<string, string>> }
}

/** The HTTP answer to an error outside MCP. */
export function problemResponse(error: GatewayError, requestId: string): Response {
  const { text, init } = writtenProblem(error, requestId)
  return new Response(text, init)
}

/** @see WrittenProblem */
export function writtenProblem(error: GatewayError, requestId?: string): WrittenProblem {
  const wire = ERROR_WIRE[error.code]
  const problem: Problem = {
    ...error.detail.data,
    type: `urn:gatehouse:error:${error.code}`,
    title: wire.title,
    status: wire.status,
    code: error.code,
    detail: error.message,
    fix: error.detail.fix ?? wire.fix,
    ...(requestId !== undefined && { requestId }),
  }
  const headers = {
    ...error.detail.headers,
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  }
  return { text: JSON.stringify(problem), init: { status: wire.status, headers } }
}
