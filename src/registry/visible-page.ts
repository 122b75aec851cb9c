import { type Actor, canPermission, type Target } from '../policy/index.ts'

/** Rows per read: enough that a page fills at once unless most rows are hidden. */
const ROWS_PER_READ = 200
/** Reads per page; a page that hides so much ends early, and its position goes on. */
const MAX_READS = 10

/** A page of what an actor may list. */
export interface VisiblePage<T> {
  readonly rows: readonly T[]
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined
}

/** Reads rows by path behind `after` until `limit` of them may be listed by the actor. */
export async function visiblePage<T extends Target>(
  actor: Actor,
  read: (after: string, limit: number) => Promise<readonly T[]>,
  start: string,
  limit: number,
): Promise<VisiblePage<T>> {
  const visible: T[] = []
  let after = start
  let isEnd = false
  for (let reads = 0; reads < MAX_READS && !isEnd && visible.length <= limit; reads += 1) {
    const rows = await read(after, ROWS_PER_READ)
    visible.push(...rows.filter((row) => canPermission(actor, 'list_service', row)))
    after = rows.at(-1)?.path ?? after
    isEnd = rows.length < ROWS_PER_READ
  }
  const rows = visible.slice(0, limit)
  // One more than the page proves that there is a next one; unread rows may hold one.
  return { rows, next: visible.length > limit ? rows.at(-1)?.path : isEnd ? undefined : after }
}
