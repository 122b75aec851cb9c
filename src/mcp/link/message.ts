import { isPlainObject } from '../../core/index.ts'
import { members, rawMember } from '../wire/edit-members.ts'
import type { RawId } from '../wire/reply.ts'

/** A JSON-RPC message, as far as it must be known to find whom it is for. */
export type Message =
  | { readonly kind: 'response'; readonly id: RawId; readonly isError: boolean }
  | {
      readonly kind: 'request'
      readonly id: RawId
      readonly method: string
      readonly params: Params
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Params }

/** What decides about it; ids and tokens as raw JSON in canonical spelling. */
export interface Params {
  readonly progressToken?: RawId
  readonly requestId?: RawId
  readonly uri?: string
  readonly level?: string
  /** Of a request: the token under which it wants to hear of its progress. */
  readonly ownToken?: RawId
}

/** Up to here a message is parsed whole, so that what is no JSON is dropped here. */
const MAX_PARSED_CHARS = 256 * 1024

/** Undefined for what is no message. A large one is looked at, not parsed: its reader judges it. */
export function readMessage(text: string): Message | undefined {
  if (text.length <= MAX_PARSED_CHARS && !isJsonObject(text)) return undefined
  const found = new Map(members(text))
  const id = canonicalId(found.get('id'))
  const rawMethod = found.get('method')
  if (rawMethod === undefined) {
    const isAnswer = found.has('result') || found.has('error')
    return isAnswer && id !== undefined
      ? { kind: 'response', id, isError: found.has('error') }
      : undefined
  }
  const method = parsed(rawMethod)
  if (typeof method !== 'string') return undefined
  const params = paramsOf(found.get('params'))
  if (!found.has('id')) return { kind: 'notification', method, params }
  return id === undefined ? undefined : { kind: 'request', id, method, params }
}

function paramsOf(raw: string | undefined): Params {
  if (raw === undefined) return {}
  const found = new Map(members(raw))
  const progressToken = canonicalId(found.get('progressToken'))
  const requestId = canonicalId(found.get('requestId'))
  const ownToken = canonicalId(rawMember(found.get('_meta') ?? '', 'progressToken'))
  const uri = parsed(found.get('uri'))
  const level = parsed(found.get('level'))
  return {
    ...(progressToken === undefined ? {} : { progressToken }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(ownToken === undefined ? {} : { ownToken }),
    ...(typeof uri === 'string' ? { uri } : {}),
    ...(typeof level === 'string' ? { level } : {}),
  }
}

/** Ids and tokens are strings and numbers; anything else is none. */
function canonicalId(raw: string | undefined): RawId | undefined {
  const id = parsed(raw)
  return typeof id === 'string' || typeof id === 'number' ? JSON.stringify(id) : undefined
}

function isJsonObject(text: string): boolean {
  return isPlainObject(parsed(text))
}

function parsed(raw: string | undefined): unknown {
  try {
    return raw === undefined ? undefined : JSON.parse(raw)
  } catch {
    // No JSON, and so nothing that anybody could mean.
    return undefined
  }
}
