import type { CallRecord } from './records.ts'
import type { ChaosRun } from './run.ts'
import { SERVERS } from './servers.ts'
import type { Verdict } from './verdict.ts'

/** Pieces of evidence that are shown of one promise. */
const MAX_EVIDENCE = 12

/** What happened, and what became of each promise. */
export function reportText(run: ChaosRun, verdicts: readonly Verdict[]): string {
  const { record, schedule, events, samples } = run
  const actions = schedule.filter(({ kind }) => kind !== 'heal')
  return [
    `Done: ${countsText(countBy(actions.map((action) => (action.kind === 'restart' ? `restart by ${action.how}` : action.kind))))}`,
    '',
    'What clients saw, by server and outcome:',
    ...outcomeTable(record.calls),
    '',
    `Faults met: ${countsText(record.faultsMet)}`,
    `Restarts: ${record.restarts.map(({ from, to }) => `${to - from} ms away`).join(', ')}`,
    `Event lines: ${countsText(events)}`,
    ...[...samples].flatMap(([type, lines]) => (type === 'fault' ? lines.slice(0, 5) : [])),
    '',
    ...verdictLines(verdicts),
  ].join('\n')
}

/** Each promise, and under a broken one some of the evidence. */
export function verdictLines(verdicts: readonly Verdict[]): string[] {
  return verdicts.flatMap(({ promise, judged, broken }) => [
    `${broken.length === 0 ? 'PASS' : 'FAIL'}  ${promise} (${judged})`,
    ...broken.slice(0, MAX_EVIDENCE).map((line) => `      ${line}`),
    ...(broken.length > MAX_EVIDENCE ? [`      and ${broken.length - MAX_EVIDENCE} more`] : []),
  ])
}

/** How many promises were kept, and how many not. */
export function countVerdicts(verdicts: readonly Verdict[]): { passed: number; failed: number } {
  const failed = verdicts.filter(({ broken }) => broken.length > 0).length
  return { passed: verdicts.length - failed, failed }
}

function outcomeTable(calls: readonly CallRecord[]): string[] {
  const names = [...SERVERS.map(({ name }) => name), undefined]
  return names.map((name) => {
    const counts = countBy(calls.filter(({ server }) => server === name).map(outcomeName))
    return `  ${(name ?? 'all of them').padEnd(14)} ${countsText(counts)}`
  })
}

function outcomeName({ outcome }: CallRecord): string {
  switch (outcome.kind) {
    case 'error':
      return outcome.code || String(outcome.rpc)
    case 'no_message':
      return `HTTP ${outcome.status}`
    case 'result':
    case 'wrong_result':
    case 'broken':
    case 'left':
      return outcome.kind
  }
}

function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
