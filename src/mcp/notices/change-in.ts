import { isPlainObject } from '../../core/index.ts'
import { listOf } from '../list-changes.ts'
import { rawMember } from '../wire/edit-members.ts'
import { type Change, MAX_URI_CHARS, RESOURCE_UPDATED, TASK_CHANGED } from './notice.ts'

/**
 * What a server's message, which is `raw` as text, says has changed; undefined for any other
 * message.
 */
export function changeIn(
  message: Readonly<Record<string, unknown>>,
  raw: string,
): Change | undefined {
  const { method, params } = message
  const list = listOf(method)
  if (list) return { kind: 'list', list }
  if (!isPlainObject(params)) return undefined
  if (method === TASK_CHANGED) {
    const { taskId } = params
    // It becomes one line; in a JSON text a line break stands between tokens alone.
    const own = rawMember(raw, 'params')?.replace(/[\r\n]+/g, ' ')
    return typeof taskId === 'string' && own ? { kind: 'task', id: taskId, params: own } : undefined
  }
  if (method !== RESOURCE_UPDATED) return undefined
  const { uri } = params
  const isUri = typeof uri === 'string' && uri.length <= MAX_URI_CHARS
  return isUri ? { kind: 'resource', uri } : undefined
}
