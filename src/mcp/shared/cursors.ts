import {
  type Clock,
  GatewayError,
  isPlainObject,
  type Principal,
  type Sealer,
} from '../../core/index.ts'
import type { Position } from './pages.ts'

/** Cursors of merged lists: sealed, good for one principal, endpoint and method, for 24 hours. */
export interface Cursors {
  seal(of: CursorOf, position: Position): Promise<string>
  /** Undefined for the start of the list. Throws `invalid_cursor`. */
  open(of: CursorOf, cursor: unknown): Promise<Position | undefined>
}

/** What a cursor is bound to. */
export interface CursorOf {
  readonly principal: Principal
  readonly path: string
  readonly method: string
}

const CURSOR_TTL_MS = 24 * 60 * 60 * 1000

/** @see Cursors */
export function createCursors(deps: { readonly sealer: Sealer; readonly clock: Clock }): Cursors {
  return {
    seal: (of, position) =>
      deps.sealer.seal('cursor', boundTo(of), position, deps.clock.now() + CURSOR_TTL_MS),

    async open(of, cursor) {
      // An empty cursor is a cursor (MCP 2026-07-28, Pagination); ours are never empty.
      if (cursor === undefined || cursor === '') return undefined
      const opened =
        typeof cursor === 'string' && (await deps.sealer.open('cursor', boundTo(of), cursor))
      const position = positionIn(opened)
      if (position) return position
      throw new GatewayError('invalid_cursor', 'The cursor is not valid for this list.')
    },
  }
}

/** Each page has one: a schema costs it as much as the rest of its reading. */
function positionIn(opened: unknown): Position | undefined {
  if (!isPlainObject(opened)) return undefined
  const { server, after } = opened
  return typeof server === 'string' && typeof after === 'number' && Number.isSafeInteger(after)
    ? { server, after }
    : undefined
}

function boundTo({ principal, path, method }: CursorOf): string[] {
  return [principal.tenant, principal.key, path, method]
}
