import { z } from 'zod'

/** One finding of the suite, as it writes them to `checks.json`. */
export const Check = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['SUCCESS', 'FAILURE', 'WARNING', 'SKIPPED', 'INFO']),
  errorMessage: z.string().optional(),
  details: z.unknown().optional(),
})
export type Check = z.infer<typeof Check>

/** What the suite found on one side of one scenario. */
export interface Outcome {
  readonly checks: readonly Check[]
  /** Why the suite calls the run itself a failure, such as a client that ended with an error. */
  readonly broken?: string
}

export type Side = 'direct' | 'through'

/** One line of the table. A side that was asked for and has no outcome was not run. */
export interface Row {
  /** The revision that is spoken, such as `2025-11-25`. */
  readonly revision: string
  readonly leg: 'server' | 'client'
  readonly scenario: string
  readonly outcomes: Readonly<Partial<Record<Side, Outcome>>>
}

/** Checks that count: what the suite prints as `passed/denominator`. */
export function tally({ checks }: Outcome) {
  const count = (status: Check['status']) =>
    checks.filter((check) => check.status === status).length
  return { passed: count('SUCCESS'), failed: count('FAILURE'), warned: count('WARNING') }
}

/**
 * What is wrong with a row, one sentence each; empty when nothing is. The suite's own rule (a
 * failure fails, a warning only for clients) and one more: what passes directly must pass through
 * the gateway too, also where the suite only warns or silently has less to check.
 */
export function problemsOf(row: Row, sides: readonly Side[]): string[] {
  const problems = sides.flatMap((side) => problemsOn(side, row))
  const { direct, through } = row.outcomes
  const isCompared = sides.length > 1 && direct && through
  if (!isCompared || problems.length > 0) return problems
  return lostChecks(direct, through).map(
    (name) => `through: ${name} passes directly, and does not pass here`,
  )
}

function problemsOn(side: Side, { leg, outcomes }: Row): string[] {
  const outcome = outcomes[side]
  if (!outcome) return [`${side}: was not run`]
  const problems = outcome.checks
    .filter(({ status }) => status === 'FAILURE' || (leg === 'client' && status === 'WARNING'))
    .map(
      ({ name, errorMessage = 'no reason given', details }) =>
        `${side}: ${name}: ${errorMessage} ${excerpt(details)}`,
    )
  if (problems.length > 0) return problems
  if (outcome.broken !== undefined) return [`${side}: ${outcome.broken}`]
  return tally(outcome).passed === 0 ? [`${side}: checked nothing`] : []
}

function lostChecks(direct: Outcome, through: Outcome): string[] {
  const passing = passingChecks(through)
  return [...passingChecks(direct)].filter((check) => !passing.has(check))
}

/** A check may occur several times, and passes when no occurrence says otherwise. */
function passingChecks({ checks }: Outcome): Set<string> {
  const named = checks.map(({ id, name, status }) => ({ key: `${id} ${name}`, status }))
  const passing = new Set(named.filter(({ status }) => status === 'SUCCESS').map(({ key }) => key))
  for (const { key, status } of named) {
    if (status === 'FAILURE' || status === 'WARNING') passing.delete(key)
  }
  return passing
}

const EXCERPT_CHARS = 400

function excerpt(details: unknown): string {
  const text = JSON.stringify(details) ?? ''
  return text.length > EXCERPT_CHARS ? `${text.slice(0, EXCERPT_CHARS)}...` : text
}
