import { ERROR_WIRE, isPlainObject } from '../../core/index.ts'
import { TASKS } from '../extensions.ts'

/** So much of what the server said is repeated. */
const MAX_SAID_CHARS = 300

/**
 * What a server's error to a call means to a client that has none of the server's tasks: the tool
 * can only run as one. Raw JSON in and out; any other error comes back as it is. A server of
 * 2025-11-25 says so with -32601 (Tasks, Tool-Level Negotiation), one of SEP-2663 by the extension
 * that it needs.
 */
export function taskOnly(error: string): string {
  const parsed: unknown = JSON.parse(error)
  if (!isPlainObject(parsed) || !(parsed['code'] === -32601 || needsTasks(parsed))) return error
  const said = String(parsed['message'] ?? '').slice(0, MAX_SAID_CHARS)
  const { rpc, fix } = ERROR_WIRE.task_only
  const message = `The tool may run only as a task, which is not carried here. The server says: ${said}`
  return JSON.stringify({ code: rpc, message, data: { fix } })
}

function needsTasks({ code, data }: Readonly<Record<string, unknown>>): boolean {
  const required = isPlainObject(data) ? data['requiredCapabilities'] : undefined
  const extensions = isPlainObject(required) ? required['extensions'] : undefined
  return code === -32021 && isPlainObject(extensions) && Object.hasOwn(extensions, TASKS)
}
