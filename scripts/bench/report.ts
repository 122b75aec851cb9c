import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { table } from '../cli/table.ts'
import { ROOT } from '../start/state.ts'
import {
  CALL_HEAD,
  CHECK_HEAD,
  callCells,
  checkCells,
  LIST_HEAD,
  listCells,
} from './report-cells.ts'
import { type ScaleSection, scaleSections } from './report-scale.ts'
import { type Measured, mergeResults, type Results } from './results.ts'
import type { CheckedTarget } from './targets-check.ts'

/** For the terminal. */
export function resultsText(results: Results, checked: readonly CheckedTarget[]): string {
  const { calls, lists, scale = {} } = results
  const scaleText = scaleSections(scale).flatMap(({ lines }) => lines)
  return [
    ...(calls ? [table(CALL_HEAD, calls.rows.map(callCells))] : []),
    ...(lists ? [table(LIST_HEAD, lists.rows.map(listCells))] : []),
    ...(scaleText.length > 0 ? [scaleText.join('\n')] : []),
    ...(checked.length > 0 ? [table(CHECK_HEAD, checked.map(checkCells))] : []),
  ].join('\n\n')
}

/** Writes docs/bench/results.json and results.md: what was found, other parts as they were. */
export async function writeResults(found: Results): Promise<void> {
  const folder = join(ROOT, 'docs/bench')
  const jsonPath = join(folder, 'results.json')
  const results = mergeResults(await earlier(jsonPath), found)
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
    ...(scale ? ['## Scale', '', ...scaleSections(scale).flatMap(scaleMarkdown)] : []),
  ].join('\n')
}

function scaleMarkdown({ title, measured, lines }: ScaleSection): string[] {
  return [`### ${title}`, '', measuredText(measured), '', ...lines, '']
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
