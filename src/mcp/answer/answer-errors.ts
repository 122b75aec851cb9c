import { GatewayError } from '../../core/index.ts'
import { deadlinePassed, UNKNOWN_EFFECT } from '../upstream/failure.ts'
import { MAX_MESSAGE_BYTES } from './large-event.ts'

/**
 * The caller's view of an answer that did not come, or not whole. `lateAfterMs` is how long the call
 * might take, where it took longer.
 */
export function lostAnswer(server: string, lateAfterMs?: number): GatewayError {
  if (lateAfterMs !== undefined) return deadlinePassed(server, lateAfterMs)
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" closed the connection before its answer was complete.`,
    { fix: UNKNOWN_EFFECT },
  )
}

/** For a server that said nothing any more. */
export function fellSilent(server: string, seconds: number): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `The server "${server}" said nothing for ${seconds} s before its answer was complete.`,
    { fix: UNKNOWN_EFFECT },
  )
}

/** For an answer that is none. */
export function malformed(server: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" sent something that is no answer to this request.`,
    { fix: 'Ask the owner of the server to mend it; the request may have taken effect.' },
  )
}

/** For an answer that the gateway cut off, at so many bytes. */
export function tooLarge(server: string, maxBytes: number = MAX_MESSAGE_BYTES): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The answer of the server "${server}" is larger than ${maxBytes} bytes.`,
    { fix: 'Ask for less at once.' },
  )
}

/** For a stream that would go on for ever. */
export function tooLong(server: string, minutes: number): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `The server "${server}" did not finish within ${minutes} minutes.`,
  )
}

/** For a message that comes byte by byte. */
export function tooSlow(server: string, seconds: number): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `The server "${server}" began its answer and did not end it within ${seconds} s.`,
    { fix: UNKNOWN_EFFECT },
  )
}

/** For a stream that says nothing at great length. */
export function emptyTalk(server: string, maxBytes: number): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" sent more than ${maxBytes} bytes of comments instead of its answer.`,
    { fix: 'Ask the owner of the server to mend it; the request may have taken effect.' },
  )
}
