import { MESSAGE_STATEMENTS } from './message-statements.ts'
import { SESSION_STATEMENTS } from './session-statements.ts'
import type { Statement } from './statement.ts'

/** What a test can cite: a line `// req: <id>` directly above it. */
export interface Requirement {
  /** Kebab-case. */
  readonly id: string
  /** 1 to 25. */
  readonly statement: number
  readonly text: string
  readonly source: string
}

/** The 25 statements, in order. */
export const STATEMENTS: readonly Statement[] = [...SESSION_STATEMENTS, ...MESSAGE_STATEMENTS].sort(
  (one, other) => one.statement - other.statement,
)

/** Every requirement, in the order of the statements. */
export const REQUIREMENTS: readonly Requirement[] = STATEMENTS.flatMap(
  ({ statement, source, requirements }) =>
    Object.entries(requirements).map(([id, text]) => ({ id, statement, text, source })),
)
