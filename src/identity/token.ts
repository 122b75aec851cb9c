import { z } from 'zod'
import { fromBase64Url, isPlainObject } from '../core/index.ts'

/** Longer tokens are refused unread: parsing and verifying are work done for strangers. */
const MAX_TOKEN_CHARS = 8_192

const Header = z.looseObject({
  alg: z.string(),
  kid: z.string().optional(),
  typ: z.string().optional(),
})

/** A token taken apart and not yet believed: it only says which keys and rules to check it by. */
export interface UnverifiedToken {
  readonly header: z.infer<typeof Header>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Reads a JWS compact serialization (RFC 7515 section 7.1) of a JWT. Undefined for anything else,
 * and for a header or payload that names a member twice: parsers disagree on which one counts
 * (RFC 7519 section 4).
 */
export function readToken(token: string): UnverifiedToken | undefined {
  if (token.length > MAX_TOKEN_CHARS) return undefined
  const [header, payload, signature, ...rest] = token.split('.')
  if (signature === undefined || rest.length > 0 || !fromBase64Url(signature)) return undefined
  const parsedHeader = Header.safeParse(readPart(header))
  const claims = readPart(payload)
  return parsedHeader.success && isPlainObject(claims)
    ? { header: parsedHeader.data, claims }
    : undefined
}

function readPart(part: string | undefined): unknown {
  const bytes = part === undefined ? undefined : fromBase64Url(part)
  if (!bytes) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
    const value: unknown = JSON.parse(text)
    return hasDuplicateMembers(text) ? undefined : value
  } catch {
    // Not UTF-8 or not JSON: the caller answers 401, and the refusal is on the event line.
    return undefined
  }
}

const STRING_OR_PUNCTUATION = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g

/** True when an object of this valid JSON text, at any depth, names a member twice. */
function hasDuplicateMembers(json: string): boolean {
  const names: Set<string>[] = []
  let lastString = '""'
  for (const [piece] of json.matchAll(STRING_OR_PUNCTUATION)) {
    if (piece === '{' || piece === '[') names.push(new Set())
    else if (piece === '}' || piece === ']') names.pop()
    else if (piece !== ':') lastString = piece
    else {
      // Escapes are undone first: "aud" and "\u0061ud" are one name.
      const name: string = JSON.parse(lastString)
      if (names.at(-1)?.has(name)) return true
      names.at(-1)?.add(name)
    }
  }
  return false
}
