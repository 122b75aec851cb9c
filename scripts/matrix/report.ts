import type { Era } from './upstreams/upstream.ts'

/** How a cell went; `reason` says what is wrong with one that failed. */
export interface Outcome {
  readonly topic: string
  readonly pair: Pair
  /** What of it ran: an endpoint, or a way to make it hard. */
  readonly table: string
  readonly reason?: string
  readonly ms: number
}

/** The eras of a client and of the server that it calls. */
export interface Pair {
  readonly client: Era
  readonly upstream: Era
}

export const PAIRS: readonly Pair[] = [
  { client: 'legacy', upstream: 'legacy' },
  { client: 'legacy', upstream: 'modern' },
  { client: 'modern', upstream: 'legacy' },
  { client: 'modern', upstream: 'modern' },
]

export function pairText({ client, upstream }: Pair): string {
  return `${client} > ${upstream}`
}

const COLUMN = 18

/** The tables, and below each what is wrong with it. */
export function reportText(outcomes: readonly Outcome[]): string {
  return [...Map.groupBy(outcomes, ({ table }) => table)]
    .map(([title, table]) => tableText(title, table))
    .join('\n\n')
}

export function countOutcomes(outcomes: readonly Outcome[]) {
  const failed = outcomes.filter(({ reason }) => reason !== undefined).length
  return { passed: outcomes.length - failed, failed }
}

function tableText(title: string, outcomes: readonly Outcome[]): string {
  const topics = [...new Set(outcomes.map(({ topic }) => topic))]
  const width = Math.max(title.length, ...topics.map((topic) => topic.length)) + 2
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padEnd(COLUMN)).join('')}`.trimEnd()
  const rows = topics.map((topic) =>
    line(
      topic,
      PAIRS.map((pair) =>
        cellText(outcomes.find((one) => one.topic === topic && one.pair === pair)),
      ),
    ),
  )
  const failures = outcomes.flatMap(({ topic, pair, reason }) =>
    reason === undefined ? [] : [`  ${topic}, ${pairText(pair)}: ${reason}`],
  )
  return [line(title, PAIRS.map(pairText)), ...rows, ...failures].join('\n')
}

function cellText(outcome: Outcome | undefined): string {
  if (!outcome) return '-'
  return outcome.reason === undefined ? `ok ${outcome.ms} ms` : 'FAIL'
}
