import { type Outcome, problemsOf, type Row, type Side, tally } from './checks.ts'

const COLUMN = 14

/** The tables, one per revision and leg, and below each what is wrong with it. */
export function reportText(rows: readonly Row[], sides: readonly Side[]): string {
  const tables = Map.groupBy(rows, ({ revision, leg }) => `${revision}, ${leg} scenarios`)
  return [...tables].map(([title, table]) => tableText(title, table, sides)).join('\n\n')
}

/** How many rows pass; a row is one scenario on all sides. */
export function countRows(rows: readonly Row[], sides: readonly Side[]) {
  const failed = rows.filter((row) => problemsOf(row, sides).length > 0).length
  return { passed: rows.length - failed, failed }
}

function tableText(title: string, rows: readonly Row[], sides: readonly Side[]): string {
  const width = Math.max(title.length, ...rows.map(({ scenario }) => scenario.length)) + 4
  const line = (mark: string, name: string, cells: readonly string[]): string =>
    `${mark} ${name.padEnd(width)}${cells.map((cell) => cell.padEnd(COLUMN)).join('')}`.trimEnd()

  const lines = [line(' ', title, sides)]
  const problems: string[] = []
  for (const row of rows) {
    const found = problemsOf(row, sides)
    const cells = sides.map((side) => cellText(row.outcomes[side]))
    lines.push(line(found.length === 0 ? '✓' : '✗', row.scenario, cells))
    problems.push(...found.map((problem) => `  ${row.scenario}, ${problem}`))
  }
  const totals = sides.map((side) => cellText(sumOf(rows, side)))
  lines.push(line(' ', `${rows.length} scenarios`, totals), ...problems)
  return lines.join('\n')
}

/** `passed/checked`, and warnings where there are any. */
function cellText(outcome: Outcome | undefined): string {
  if (!outcome) return 'not run'
  const { passed, failed, warned } = tally(outcome)
  return `${passed}/${passed + failed}${warned > 0 ? ` (${warned} warn)` : ''}`
}

function sumOf(rows: readonly Row[], side: Side): Outcome {
  return { checks: rows.flatMap(({ outcomes }) => outcomes[side]?.checks ?? []) }
}
