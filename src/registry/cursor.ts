import { type CallContext, canonicalJson, GatewayError, type Sealer } from '../core/index.ts'
import type { Actor } from '../policy/index.ts'

const CURSOR_TTL_MS = 24 * 60 * 60 * 1000

/** Which list a cursor continues: its name and everything that selects its rows. */
export interface CursorScope {
  readonly list: 'servers' | 'tools' | 'services' | 'virtual-servers' | 'offers'
  readonly filters: Readonly<Record<string, string | undefined>>
}

/** Sealed positions in a list: good for the same list, filters and principal, for 24 hours. */
export interface Cursors {
  seal(ctx: CallContext, actor: Actor, scope: CursorScope, after: string): Promise<string>
  /** The position; undefined without a cursor. Throws `invalid_cursor`. */
  open(actor: Actor, scope: CursorScope, cursor: string | undefined): Promise<string | undefined>
}

/** @see Cursors */
export function createCursors(sealer: Sealer): Cursors {
  return {
    seal: (ctx, actor, scope, after) =>
      sealer.seal('cursor', boundTo(actor, scope), { after }, ctx.clock.now() + CURSOR_TTL_MS),

    async open(actor, scope, cursor) {
      if (cursor === undefined) return undefined
      const opened = await sealer.open('cursor', boundTo(actor, scope), cursor)
      if (opened !== undefined && 'after' in opened && typeof opened.after === 'string') {
        return opened.after
      }
      throw new GatewayError('invalid_cursor', 'The cursor is not of this list, or it expired.')
    },
  }
}

function boundTo(actor: Actor, scope: CursorScope): string[] {
  const { tenant, key } = actor.principal
  return [tenant, key, scope.list, canonicalJson(scope.filters)]
}
