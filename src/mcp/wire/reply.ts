import { ERROR_WIRE, type ErrorCode, type GatewayError } from '../../core/index.ts'

/** A JSON-RPC id as raw JSON text, so that it comes back exactly as it was sent. */
export type RawId = string

/** An error as one JSON-RPC message. */
export function errorMessage(error: GatewayError, id: RawId, requestId: string): string {
  const wire = ERROR_WIRE[error.code]
  const body = {
    code: wire.rpc,
    message: error.message,
    data: {
      ...error.detail.data,
      code: error.code,
      fix: error.detail.fix ?? wire.fix,
      requestId,
    },
  }
  return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(body)}}`
}

/** Found after a request was dispatched: HTTP and the gateway worked, so HTTP says 200. */
const AFTER_DISPATCH: ReadonlySet<ErrorCode> = new Set(['upstream_failed', 'upstream_timeout'])

/**
 * The HTTP status of a JSON-RPC error. A message that nothing answers has only the status to tell
 * what became of it. In the legacy era 404 means one thing alone, that the session is gone, so an
 * unknown method travels in-band (MCP 2025-11-25, Session management).
 */
export function statusOf(
  code: ErrorCode,
  inbound: { readonly kind: string; readonly era: 'modern' | 'legacy' } | undefined,
): number {
  if (AFTER_DISPATCH.has(code) && inbound?.kind === 'request') return 200
  if (code === 'method_not_found' && inbound?.era === 'legacy') return 200
  return ERROR_WIRE[code].status
}

/** The HTTP answer to a JSON-RPC error. */
export function errorReply(
  error: GatewayError,
  id: RawId,
  requestId: string,
  status: number = statusOf(error.code, undefined),
): Response {
  return new Response(errorMessage(error, id, requestId), {
    status,
    headers: {
      ...error.detail.headers,
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
  })
}

/** The HTTP answer to a request that the gateway answers itself. `result` is JSON. */
export function resultReply(
  result: string,
  id: RawId,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`{"jsonrpc":"2.0","id":${id},"result":${result}}`, {
    headers: { ...headers, 'content-type': 'application/json', 'cache-control': 'no-store' },
  })
}

/** For a message that nothing answers. */
export function acceptedReply(): Response {
  return new Response(null, { status: 202, headers: { 'cache-control': 'no-store' } })
}
