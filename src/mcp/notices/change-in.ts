import { isPlainObject } from '../../core/index.ts'
import { type Change, listOf, MAX_URI_CHARS, RESOURCE_UPDATED } from './notice.ts'

/** What a server's message says has changed; undefined for any other message. */
export function changeIn(message: Readonly<Record<string, unknown>>): Change | undefined {
  const { method, params } = message
  const list = listOf(method)
  if (list) return { kind: 'list', list }
  if (method !== RESOURCE_UPDATED || !isPlainObject(params)) return undefined
  const { uri } = params
  const isUri = typeof uri === 'string' && uri.length <= MAX_URI_CHARS
  return isUri ? { kind: 'resource', uri } : undefined
}
