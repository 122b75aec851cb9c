import type { CallRecord } from './records.ts'
import type { ChaosRun } from './run.ts'
import { SERVERS } from './servers.ts'
import type { Verdict } from './verdict.ts'

/** Pieces of evidence that are shown of one promise. */
const MAX_EVIDENCE = 12

/** What happened, and what became of each promise. */
export function reportText({ record, events, samples }: ChaosRun, verdicts: readonly Verdict[]) {
  return [
    'What clients saw, by server and outcome:',
    ...outcomeTable(record.calls),
    '',
    `Faults met: ${countsText(record.faultsMet)}`,
    `Restarts: ${record.restarts.map(({ from, to }) => `${to - from} ms away`).join(', ')}`,
    `Event lines: ${countsText(events)}`,
    ...[...samples].flatMap(([type, lines]) => (type === 'fault' ? lines.slice(0, 5) : [])),
    '',
    ...verdicts.flatMap(({ promise, judged, broken }) => [
      `${broken.length === 0 ? 'PASS' : 'FAIL'}  ${promise} (${judged})`,
      ...broken.slice(0, MAX_EVIDENCE).map((line) => `      ${line}`),
      ...(broken.length > MAX_EVIDENCE ? [`      and ${broken.length - MAX_EVIDENCE} more`] : []),
    ]),
  ].join('\n')
}

/** How many promises were kept, and how many not. */
export function countVerdicts(verdicts: readonly Verdict[]): { passed: number; failed: number } {
  const failed = verdicts.filter(({ broken }) => broken.length > 0).length
  return { passed: verdicts.length - failed, failed }
}

function outcomeTable(calls: readonly CallRecord[]): string[] {
  const names = [...SERVERS.map(({ name }) => name), undefined]
  return names.map((name) => {
    const counts = new Map<string, number>()
    for (const call of calls.filter(({ server }) => server === name)) {
      const key = outcomeName(call)
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
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

function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
