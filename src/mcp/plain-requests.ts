import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server'
import { isPlainObject, setBounded } from '../core/index.ts'
import { LEGACY_VERSIONS, MODERN_VERSION } from './messages.ts'

/** A message as it was parsed. */
type Body = Readonly<Record<string, unknown>>

/** What headers say of a request. */
export interface Announced {
  readonly version: string | undefined
  readonly method: string | undefined
}

/**
 * The requests of one client are alike in all that the SDK's classifier judges them by, and its
 * judgement costs as much as the rest of reading them. So what it once found sound is remembered by
 * every text that it went by.
 */
export interface PlainRequests {
  /** The era of a request that would be judged as one before it; undefined asks the classifier. */
  eraOf(body: Body, announced: Announced): 'modern' | 'legacy' | undefined
  /** Remembers a request that the classifier found to be of 2026-07-28. */
  note(body: Body, announced: Announced): void
}

const MAX_REMEMBERED = 1_000
/** A client's capabilities take some hundred characters; who says more is judged each time. */
const MAX_ENVELOPE_CHARS = 4_096

const ENVELOPE: ReadonlySet<string> = new Set([
  PROTOCOL_VERSION_META_KEY,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
])
const REQUEST = new Set(['jsonrpc', 'id', 'method', 'params'])
const LEGACY: ReadonlySet<string | undefined> = new Set([undefined, ...LEGACY_VERSIONS])

/** Keep one per isolate. */
export function createPlainRequests(): PlainRequests {
  const sound = new Map<string, true>()

  return {
    eraOf(body, announced) {
      const request = plainRequest(body)
      if (!request) return undefined
      const { meta } = request
      if (meta === undefined || !Object.hasOwn(meta, PROTOCOL_VERSION_META_KEY)) {
        const isLegacy = LEGACY.has(announced.version) && request.method !== 'initialize'
        return isLegacy ? 'legacy' : undefined
      }
      const key = keyOf(request.method, meta, announced)
      if (key === undefined || !sound.has(key)) return undefined
      return 'modern'
    },

    note(body, announced) {
      const request = plainRequest(body)
      const key = request?.meta && keyOf(request.method, request.meta, announced)
      if (key !== undefined) setBounded(sound, key, true, MAX_REMEMBERED)
    },
  }
}

interface PlainRequest {
  readonly method: string
  readonly meta: Readonly<Record<string, unknown>> | undefined
}

/** A request without anything that a schema could find fault with besides its envelope. */
function plainRequest(body: Body): PlainRequest | undefined {
  for (const name in body) if (!REQUEST.has(name)) return undefined
  const { jsonrpc, id, method, params } = body
  const isNamed = typeof id === 'string' || typeof id === 'number'
  if (jsonrpc !== '2.0' || !isNamed || typeof method !== 'string') return undefined
  if (!isPlainObject(params)) return params === undefined ? { method, meta: undefined } : undefined
  const meta = params['_meta']
  if (meta === undefined) return Object.hasOwn(params, '_meta') ? undefined : { method, meta }
  return isPlainObject(meta) && hasPlainNames(meta) ? { method, meta } : undefined
}

/** Besides the envelope: the token of progress, and what traces are told by (SEP-414). */
function hasPlainNames(meta: Readonly<Record<string, unknown>>): boolean {
  for (const name in meta) {
    const value = meta[name]
    if (ENVELOPE.has(name)) continue
    if (name === 'progressToken' && (typeof value === 'string' || Number.isSafeInteger(value))) {
      continue
    }
    const isTrace = name === 'traceparent' || name === 'tracestate' || name === 'baggage'
    if (!isTrace || typeof value !== 'string') return false
  }
  return true
}

function keyOf(
  method: string,
  meta: Readonly<Record<string, unknown>>,
  { version, method: announcedMethod }: Announced,
): string | undefined {
  if (version !== MODERN_VERSION || announcedMethod !== method) return undefined
  if (meta[PROTOCOL_VERSION_META_KEY] !== version) return undefined
  const capabilities = JSON.stringify(meta[CLIENT_CAPABILITIES_META_KEY])
  const info = JSON.stringify(meta[CLIENT_INFO_META_KEY])
  const key = `${capabilities}\n${info}\n${method === 'initialize'}`
  return key.length > MAX_ENVELOPE_CHARS ? undefined : key
}
