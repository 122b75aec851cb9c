import {
  GatewayError,
  mediaType,
  type OutboundFault,
  type OutboundResult,
  retryIn,
} from '../../core/index.ts'

/** What an endpoint's breaker learns of one request. */
export type Outcome = 'success' | 'failure'

/** Connections that nobody uses any more are looked for this often. */
const ROOM_SECONDS = 30

const UNAVAILABLE = 503
/** A server that does not know the request is well; every other 5xx says that it is not. */
const NOT_IMPLEMENTED = 501

/**
 * Undefined when the result says nothing of the endpoint's health: the fault was not its own. What
 * it refuses (4xx, 429 too) it refuses in good health.
 */
export function outcomeOf(result: OutboundResult): Outcome | undefined {
  if (result.kind === 'response') {
    const { status } = result.response
    return status >= 500 && status !== NOT_IMPLEMENTED ? 'failure' : 'success'
  }
  const isItsOwn = ['timeout', 'network', 'redirect'].includes(result.fault)
  return isItsOwn ? 'failure' : undefined
}

/** Whether the same message may fare better a moment later: who moved away has moved away. */
export function isPassing(result: OutboundResult): boolean {
  const isMoved = result.kind === 'fault' && result.fault === 'redirect'
  return outcomeOf(result) === 'failure' && !isMoved
}

/** How long a refusal asks to be left alone, ms; 0 where it does not (RFC 9110 section 10.2.3). */
export function retryAfterMsOf(result: OutboundResult, now: number): number {
  if (result.kind !== 'response' || result.response.status !== UNAVAILABLE) return 0
  const text = result.response.headers.get('retry-after') ?? ''
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? 0 : Math.max(0, ms)
}

/** The caller's view of a call that took longer than it might. */
export function deadlinePassed(server: string, ms: number): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `The server "${server}" did not finish within ${ms} ms.`,
    { fix: UNKNOWN_EFFECT },
  )
}

/** What to do about a request that may have run. */
export const UNKNOWN_EFFECT =
  'Whether the request took effect is unknown; check before you send it again.'

/**
 * The caller's view of a request that got no response. Names the server, never its address. What may
 * not be sent twice is not to be tried again unseen.
 */
export function faultError(
  fault: OutboundFault,
  server: string,
  timeoutMs: number,
  isSafe = true,
): GatewayError {
  switch (fault) {
    case 'timeout':
      return new GatewayError(
        'upstream_timeout',
        `The server "${server}" did not answer within ${timeoutMs} ms.`,
        isSafe ? {} : { fix: `${UNKNOWN_EFFECT} Some work takes longer: see timeoutMs.` },
      )
    case 'refused_address':
      return new GatewayError(
        'upstream_failed',
        `The address of the server "${server}" is not allowed; the request was not sent.`,
        { fix: 'Ask an administrator to correct its endpoint.' },
      )
    case 'redirect':
      return new GatewayError(
        'upstream_failed',
        `The server "${server}" answered with a redirect, which is never followed.`,
        { fix: 'Ask an administrator to register the final URL.' },
      )
    case 'no_room':
      return new GatewayError(
        'upstream_unavailable',
        `The gateway has as many connections or requests open to the server "${server}" as it may have; the request was not sent.`,
        {
          ...retryIn(ROOM_SECONDS),
          fix: 'Try again once other clients have ended their sessions.',
        },
      )
    case 'network':
    case 'cancelled':
      return new GatewayError(
        'upstream_failed',
        `The connection to the server "${server}" failed or was closed before it answered.`,
      )
  }
}

/** Whether a response can be an MCP answer at all: success, in one of the two content types. */
export function isMcpAnswer(response: Response): boolean {
  const type = mediaType(response.headers.get('content-type'))
  return response.ok && (type === 'application/json' || type === 'text/event-stream')
}

/** The caller's view of a response that is no MCP answer. */
export function statusError(status: number, server: string): GatewayError {
  if (status === 401 || status === 403) {
    return new GatewayError(
      'upstream_failed',
      `The server "${server}" refused the gateway's credentials (HTTP ${status}).`,
      { fix: 'Ask an administrator to check the credentials stored for this server.' },
    )
  }
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" answered with HTTP ${status}, which is not an MCP answer.`,
  )
}
