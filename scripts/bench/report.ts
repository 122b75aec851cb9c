import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { table } from '../cli/table.ts'
import { ROOT } from '../start/state.ts'
import type { Environment } from './environment.ts'
import type { ListFinding, ScaleFindings } from './findings.ts'
import {
  CALL_HEAD,
  CHECK_HEAD,
  callCells,
  checkCells,
  LIST_HEAD,
  listCells,
} from './report-cells.ts'
import { scaleLines } from './report-scale.ts'
import type { CallRow } from './summary.ts'
import type { CheckedTarget } from './targets-check.ts'

/** What one run adds to the results; parts it did not measure keep what an earlier run wrote. */
export interface Results {
  readonly calls?: Part<{
    readonly rounds: number
    readonly seconds: number
    readonly rows: readonly CallRow[]
  }>
  readonly lists?: Part<{ readonly rows: readonly ListFinding[] }>
  readonly scale?: Part<ScaleFindings>
}

/** Each part says where and how it was measured. */
type Part<T> = { readonly measured: Measured } & T

export interface Measured extends Environment {
  /** Such as `npm run bench -- --quick`. */
  readonly command: string
  /** Day of the run, ISO 8601. */
  readonly day: string
}

/** For the terminal. */
export function resultsText(results: Results, checked: readonly CheckedTarget[]): string {
  const { calls, lists, scale } = results
  return [
    ...(calls ? [table(CALL_HEAD, calls.rows.map(callCells))] : []),
    ...(lists ? [table(LIST_HEAD, lists.rows.map(listCells))] : []),
    ...(scale ? [scaleLines(scale).join('\n')] : []),
    ...(checked.length > 0 ? [table(CHECK_HEAD, checked.map(checkCells))] : []),
  ].join('\n\n')
}

/** Writes docs/bench/results.json and results.md. */
export async function writeResults(found: Results): Promise<void> {
  const folder = join(ROOT, 'docs/bench')
  const jsonPath = join(folder, 'results.json')
  const results = { ...(await earlier(jsonPath)), ...found }
  await mkdir(folder, { recursive: true })
  await writeFile(jsonPath, `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(join(folder, 'results.md'), resultsMarkdown(results))
}

/** Our own file; one that is damaged is written anew. */
async function earlier(path: string): Promise<Results> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Results
  } catch {
    return {}
  }
}

/** The document. Pure. */
export function resultsMarkdown({ calls, lists, scale }: Results): string {
  return [
    '# Benchmark',
    '',
    'Load, upstream and everything measured share one machine: compare ratios and CPU, not absolute',
    'numbers. [README.md](README.md) says what each row is and how a ratio and its interval come about.',
    '',
    ...(calls
      ? [
          '## Calls',
          '',
          measuredText(calls.measured),
          `${calls.rounds} interleaved rounds of ${calls.seconds} s a row, medians; ratios of requests/s with 95 % intervals.`,
          '',
          ...markdownTable(CALL_HEAD, calls.rows.map(callCells)),
        ]
      : []),
    ...(lists
      ? [
          '## Merged `tools/list`',
          '',
          measuredText(lists.measured),
          '',
          ...markdownTable(LIST_HEAD, lists.rows.map(listCells)),
        ]
      : []),
    ...(scale ? ['## Scale', '', measuredText(scale.measured), '', ...scaleLines(scale), ''] : []),
  ].join('\n')
}

function measuredText(measured: Measured): string {
  const { command, day, machine, node, workerd, upstream, load } = measured
  return `\`${command}\`, ${day}: ${machine}; Node ${node}, workerd ${workerd}; upstream ${upstream}; load by ${load}.`
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .concat('')
}
