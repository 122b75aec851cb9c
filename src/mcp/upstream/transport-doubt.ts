import { isPlainObject, readBounded } from '../../core/index.ts'

/** Whether what an upstream answered speaks of another transport than it was spoken to in. */
export interface TransportDoubt {
  /** Looks at a response, which is to be used in its place. */
  hear(response: Response): Promise<Response>
  isRaised(): boolean
  /** The HTTP status of the last refusal. */
  refusedWith(): number | undefined
}

/** What a server answers to a POST or GET that its transport does not know. */
const UNKNOWN_REQUEST: ReadonlySet<number> = new Set([400, 404, 405])
/** A server that speaks the modern era says so in its errors (MCP 2026-07-28, Versioning). */
export const MODERN_ERRORS: ReadonlySet<unknown> = new Set([-32022, -32021, -32020])
/** Of the body of a refusal. */
const MAX_REFUSAL_BYTES = 65_536

/** Whether a status speaks of another transport, when the body says nothing. */
export function isUnknownRequest(status: number): boolean {
  return UNKNOWN_REQUEST.has(status)
}

/** @see TransportDoubt. Anything that was understood ends the doubt. */
export function createTransportDoubt(): TransportDoubt {
  let isRaised = false
  let isSettled = false
  let refusal: number | undefined
  return {
    refusedWith: () => refusal,
    isRaised: () => isRaised && !isSettled,

    async hear(response) {
      if (response.ok) isSettled = true
      else refusal = response.status
      if (!isUnknownRequest(response.status)) return response
      isRaised = true
      const { status, headers } = response
      // A page that is too large, or breaks off, says nothing more than its status.
      const text = await readBounded(response.body, MAX_REFUSAL_BYTES).catch(() => '')
      if (isModernError(text, status)) isSettled = true
      return new Response(text, { status, headers })
    },
  }
}

function isModernError(text: string, status: number): boolean {
  const message = parsed(text)
  const error = isPlainObject(message) ? message['error'] : undefined
  const code = isPlainObject(error) ? error['code'] : undefined
  return MODERN_ERRORS.has(code) || (status === 404 && code === -32601)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A page for people: it says nothing of MCP.
    return undefined
  }
}
