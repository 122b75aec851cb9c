import type { BatchItem } from 'drizzle-orm/batch'
import type { DrizzleD1Database } from 'drizzle-orm/d1'

export type Statement = BatchItem<'sqlite'>

/** Runs the statements as one transaction: all of them, or none. */
export async function runBatch(
  db: DrizzleD1Database,
  statements: readonly Statement[],
): Promise<void> {
  const [first, ...rest] = statements
  if (first !== undefined) await db.batch([first, ...rest])
}

/** Whether D1 refused a write because of a constraint of this kind, on `column` where it is named. */
export function isConstraintFault(
  thrown: unknown,
  kind: 'UNIQUE' | 'FOREIGN KEY' | 'NOT NULL',
  column?: string,
): boolean {
  if (!(thrown instanceof Error)) return false
  const on = column === undefined ? '' : `: ${column}`
  return (
    thrown.message.includes(`${kind} constraint failed${on}`) ||
    isConstraintFault(thrown.cause, kind, column)
  )
}
