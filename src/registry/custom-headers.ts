import { z } from 'zod'
import { GatewayError, type Sealer } from '../core/index.ts'

/** Headers that the gateway or the transport sets, or that would carry somebody's identity. */
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'last-event-id',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-authorization',
  'x-real-ip',
])
const FORBIDDEN_PREFIXES = ['cf-', 'mcp-', 'proxy-', 'sec-', 'x-forwarded-']

const MAX_HEADERS = 20
const MAX_VALUE_CHARS = 4096
/** Their JSON; a sealed value may be 16,384 characters in base64, see `core/seal.ts`. */
const MAX_TOTAL_CHARS = 10_000

/** RFC 9110 section 5.6.2, `token`. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/

const HeaderName = z
  .string()
  .regex(TOKEN, 'must be a header name: letters, digits and -')
  .refine(isAllowedName, 'is a header that the gateway sets itself or never forwards')

/** Visible ASCII with spaces inside: nothing that could end the header. */
const HeaderValue = z
  .string()
  .max(MAX_VALUE_CHARS)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'must be visible ASCII')

/** Headers sent with every request to the upstream, by name. Written, never read back. */
export const CustomHeaders = z
  .record(HeaderName, HeaderValue)
  .refine(hasUniqueNames, 'must not hold a name twice in different case')
  .refine(
    (headers) => Object.keys(headers).length <= MAX_HEADERS,
    `must not hold more than ${MAX_HEADERS} headers`,
  )
  .refine(isSmallEnough, `must not be larger than ${MAX_TOTAL_CHARS} characters together`)
export type CustomHeaders = z.infer<typeof CustomHeaders>

/** In a patch: a value sets a header, null removes it, absent ones stay (RFC 7396). */
export const CustomHeadersPatch = z
  .record(HeaderName, HeaderValue.nullable())
  .refine(hasUniqueNames, 'must not hold a name twice in different case')
export type CustomHeadersPatch = z.infer<typeof CustomHeadersPatch>

/** Custom headers as they are kept: sealed, and bound to the tenant and the server. */
export interface HeaderVault {
  seal(tenant: string, serverId: string, headers: CustomHeaders): Promise<string | null>
  /**
   * Throws `upstream_unavailable` when the seal does not open: calling the upstream without its
   * headers could call it as somebody else.
   */
  open(tenant: string, serverId: string, sealed: string | null): Promise<CustomHeaders>
}

/** @see HeaderVault */
export function createHeaderVault(sealer: Sealer): HeaderVault {
  return {
    async seal(tenant, serverId, headers) {
      if (Object.keys(headers).length === 0) return null
      return sealer.seal('headers', [tenant, serverId], { headers })
    },

    async open(tenant, serverId, sealed) {
      if (sealed === null) return {}
      const opened = await sealer.open('headers', [tenant, serverId], sealed)
      const parsed = z.object({ headers: z.record(z.string(), z.string()) }).safeParse(opened)
      if (parsed.success) return parsed.data.headers
      throw new GatewayError(
        'upstream_unavailable',
        'The custom headers of this server were sealed under a secret that is gone.',
        { fix: 'Set all custom headers of the server again.' },
      )
    },
  }
}

/**
 * The stored headers with a patch applied; a name matches in any case. Throws `invalid_params` when
 * the result breaks a bound.
 */
export function patchHeaders(stored: CustomHeaders, patch: CustomHeadersPatch): CustomHeaders {
  const touched = new Set(Object.keys(patch).map((name) => name.toLowerCase()))
  const kept = Object.entries(stored).filter(([name]) => !touched.has(name.toLowerCase()))
  const added = Object.entries(patch).filter((entry): entry is [string, string] => {
    return entry[1] !== null
  })
  const parsed = CustomHeaders.safeParse(Object.fromEntries([...kept, ...added]))
  if (parsed.success) return parsed.data
  const message = parsed.error.issues[0]?.message ?? 'are invalid'
  throw new GatewayError('invalid_params', `The custom headers ${message}.`, {
    data: { problems: [{ path: 'headers', message }] },
  })
}

function isAllowedName(name: string): boolean {
  const lower = name.toLowerCase()
  return (
    !FORBIDDEN_NAMES.has(lower) && !FORBIDDEN_PREFIXES.some((prefix) => lower.startsWith(prefix))
  )
}

function hasUniqueNames(headers: Record<string, unknown>): boolean {
  const names = Object.keys(headers)
  return new Set(names.map((name) => name.toLowerCase())).size === names.length
}

function isSmallEnough(headers: Record<string, string>): boolean {
  return JSON.stringify(headers).length <= MAX_TOTAL_CHARS
}
