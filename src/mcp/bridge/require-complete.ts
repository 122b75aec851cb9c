import { GatewayError } from '../../core/index.ts'
import { rawMember } from '../wire/edit-members.ts'

/**
 * A legacy client knows one type of result. A task was never declared to its server, and half of
 * what it says would be no result at all (PROTOCOL.md 1.9). `result` is raw JSON, undefined for an
 * error. Throws `upstream_failed`.
 */
export function requireComplete(server: string, result: string | undefined): void {
  const type: unknown = JSON.parse((result && rawMember(result, 'resultType')) ?? 'null')
  if (type === null || type === 'complete') return
  throw new GatewayError(
    'upstream_failed',
    type === 'task'
      ? `The server "${server}" made a task of the request, which its client cannot follow.`
      : `The server "${server}" gave a type of result that its client does not know.`,
    { fix: 'Whether it took effect is unknown. Use a client of 2026-07-28.' },
  )
}
