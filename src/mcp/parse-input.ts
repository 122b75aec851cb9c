import type { z } from 'zod'
import { GatewayError } from '../core/index.ts'

/** The parsed input. Throws `invalid_params` with every problem in `detail.data.problems`. */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => ({
    path: path.map(String).join('.'),
    message,
  }))
  const [first] = problems
  const where = first?.path ? `${first.path}: ` : ''
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  throw new GatewayError('invalid_params', `${where}${first?.message ?? 'is invalid'}${more}.`, {
    data: { problems },
  })
}
