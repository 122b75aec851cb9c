import type { z } from 'zod'
import { GatewayError } from './errors.ts'

/** One thing wrong with an input: where, and what. */
export interface InputProblem {
  /** Keys and indexes joined by `.`; empty for the document itself. */
  readonly path: string
  readonly message: string
}

/** The parsed input. Throws `invalid_params` with every problem in `detail.data.problems`. */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw invalidInput(
    parsed.error.issues.map((issue) => ({
      path: issue.path.map(String).join('.'),
      // zod says only "Invalid key in record"; the reasons lie one level deeper.
      message:
        issue.code === 'invalid_key'
          ? issue.issues.map((inner) => inner.message).join('; ')
          : issue.message,
    })),
  )
}

/** `invalid_params` that names every problem, with the first in the message. */
export function invalidInput(problems: readonly InputProblem[]): GatewayError {
  const [first] = problems
  const where = first?.path ? `${first.path}: ` : ''
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new GatewayError('invalid_params', `${where}${first?.message ?? 'is invalid'}${more}.`, {
    data: { problems },
  })
}
