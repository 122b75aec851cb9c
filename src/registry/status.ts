import type { CallContext } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import type { Health } from './server-record.ts'

/** Whether the gateway can do its work. Counts of the whole deployment, no names. */
export interface Status {
  readonly status: 'ok' | 'failing'
  readonly d1: 'ok' | 'failing'
  /** Absent while D1 fails. */
  readonly servers?: Readonly<Record<Health, number>>
}

/** Anyone may ask, so the answer is kept this long: asking often costs no D1. */
const KEEP_MS = 5_000

/** Answers `/health`; never throws. */
export function createStatus(deps: {
  countByHealth(): Promise<Record<Health, number>>
  readonly events: Events
}): (ctx: CallContext) => Promise<Status> {
  let kept: { readonly at: number; readonly status: Status } | undefined

  async function ask(ctx: CallContext): Promise<Status> {
    try {
      return { status: 'ok', d1: 'ok', servers: await deps.countByHealth() }
    } catch (thrown) {
      emitFault(deps.events, ctx, 'registry.status', thrown)
      return { status: 'failing', d1: 'failing' }
    }
  }

  return async (ctx) => {
    const now = ctx.clock.now()
    if (kept && now - kept.at < KEEP_MS) return kept.status
    const status = await ask(ctx)
    kept = { at: now, status }
    return status
  }
}
