import { type CallContext, isPlainObject, readBounded } from '../../core/index.ts'
import { MODERN_ERRORS } from './transport-doubt.ts'
import type { UpstreamCall } from './upstream-call.ts'

/** Of the body of a refusal; a longer one is a page for people. */
const MAX_REFUSAL_BYTES = 65_536
/** The one error that both eras have for a revision that is not spoken (MCP 2026-07-28, Versioning). */
const UNSUPPORTED_VERSION = -32022
/** What a modern server must not use, and the SDKs of the legacy era refuse with. */
const LEGACY_ERRORS = { from: -32019, to: -32000 } as const
/** What servers of the legacy era say to a request without their session or in a foreign revision. */
const LEGACY_WORDS = /session|not initialized|protocol version/i

/**
 * Reads a refusal (HTTP 400) while it is handed on, and calls `onDoubt` behind the call when it says
 * that the server does not speak the era, or the revision, that it was spoken to in. Gives the
 * response to use in its place.
 */
export function hearRefusal(
  ctx: CallContext,
  call: Pick<UpstreamCall, 'headers'>,
  response: Response,
  onDoubt: () => void,
): Response {
  if (!response.body) return response
  const [ours, theirs] = response.body.tee()
  // One that breaks off, or is too long, says nothing of eras.
  const hearing = readBounded(ours, MAX_REFUSAL_BYTES).then(
    (text) => {
      if (speaksOfAnotherEra(call.headers, text)) onDoubt()
    },
    () => undefined,
  )
  ctx.waitUntil(hearing)
  const { status, headers } = response
  return new Response(theirs, { status, headers })
}

/** Whether the text of an HTTP 400 to a request with these headers speaks of another era. */
export function speaksOfAnotherEra(headers: Headers, text: string): boolean {
  const { code, message } = errorOf(text)
  if (code === UNSUPPORTED_VERSION) return true
  if (!headers.has('mcp-method')) {
    // One without sessions that wants them now is another one as well.
    const wantsSession = !headers.has('mcp-session-id') && /session/i.test(message)
    return MODERN_ERRORS.has(code) || wantsSession
  }
  const isLegacy = code !== undefined && code >= LEGACY_ERRORS.from && code <= LEGACY_ERRORS.to
  return isLegacy || (!MODERN_ERRORS.has(code) && LEGACY_WORDS.test(message))
}

/** What is no JSON-RPC error is its own message. */
function errorOf(text: string): { readonly code?: number; readonly message: string } {
  const { error } = parsed(text)
  if (!isPlainObject(error)) return { message: text }
  const { code, message } = error
  return {
    ...(typeof code === 'number' ? { code } : {}),
    message: typeof message === 'string' ? message : '',
  }
}

function parsed(text: string): { readonly error?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return isPlainObject(value) ? value : {}
  } catch {
    // A page for people.
    return {}
  }
}
