import { isPlainObject } from '../../core/index.ts'
import { listOf } from '../list-changes.ts'
import type { RawId } from '../wire/reply.ts'

/** What a message of an upstream is to the request it came for. */
export type Verdict =
  /** The response to our request. */
  | {
      readonly kind: 'answer'
      /** Of a multi round-trip request (MCP 2026-07-28), where it should be a text. */
      readonly state: unknown
      /** Of a task that the server made of the request (SEP-2663), where it should be a text. */
      readonly task: unknown
      /** False for an error about something so unreadable that its id was not. */
      readonly hasId: boolean
    }
  | { readonly kind: 'request' }
  | {
      readonly kind: 'notification'
      /** Of `notifications/progress`. */
      readonly progress?: { readonly token: unknown }
      /** Says that a list is another one now. */
      readonly isListChange?: true
    }
  /** A response to something that we did not ask. */
  | { readonly kind: 'foreign' }
  /** No JSON-RPC message. */
  | { readonly kind: 'malformed' }

export const PROGRESS = 'notifications/progress'

/** Judges a parsed message. `upstreamId` is our id, as JSON, where we asked something. */
export function judge(message: unknown, upstreamId: RawId | undefined): Verdict {
  if (!isPlainObject(message) || message['jsonrpc'] !== '2.0') return { kind: 'malformed' }
  if (typeof message['method'] === 'string') {
    if (Object.hasOwn(message, 'id')) return { kind: 'request' }
    return { kind: 'notification', ...progressOf(message), ...listChangeOf(message['method']) }
  }
  const { error } = message
  const isError = isPlainObject(error)
  const hasResult = isPlainObject(message['result'])
  // Clients parse strictly: one that cannot read its answer waits for ever.
  if (isError ? hasResult || !isReadable(error) : !hasResult) return { kind: 'malformed' }
  const id = message['id']
  // An error about something unreadable has a null id (JSON-RPC 2.0): on our stream it is ours.
  const isOurs = JSON.stringify(id) === upstreamId || (isError && (id ?? null) === null)
  if (upstreamId === undefined || !isOurs) return { kind: 'foreign' }
  const result = isPlainObject(message['result']) ? message['result'] : {}
  const task = result['resultType'] === 'task' ? result['taskId'] : undefined
  const hasId = Object.hasOwn(message, 'id')
  return { kind: 'answer', state: result['requestState'], task, hasId }
}

/** JSON-RPC 2.0, 5.1: what any client reads of an error. */
function isReadable({ code, message }: Readonly<Record<string, unknown>>): boolean {
  return Number.isInteger(code) && typeof message === 'string'
}

/** The text of an answer with an id that can be restored. */
export function withId(text: string, { hasId }: { readonly hasId: boolean }): string {
  return hasId ? text : text.replace('{', '{"id":null,')
}

function listChangeOf(method: string) {
  return listOf(method) ? ({ isListChange: true } as const) : {}
}

function progressOf({ method, params }: Readonly<Record<string, unknown>>) {
  if (method !== PROGRESS) return {}
  return { progress: { token: isPlainObject(params) ? params['progressToken'] : undefined } }
}
