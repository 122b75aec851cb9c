import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { table } from '../cli/table.ts'
import { ROOT } from '../start/state.ts'
import type { LoadResult } from './load.ts'

/** One cell of the benchmark. */
export interface Measurement extends LoadResult {
  readonly target: 'direct' | 'ceiling' | 'gateway'
  readonly concurrency: number
  /** Of the target's process; undefined where the system does not tell. */
  readonly cpuMicrosPerRequest: number | undefined
}

export interface Row extends Measurement {
  /** Throughput compared with the others at the same concurrency. */
  readonly vsCeiling: number
  readonly vsDirect: number
}

/** Adds the ratios. Pure. */
export function withRatios(measurements: readonly Measurement[]): Row[] {
  return measurements.map((one) => {
    const throughputOf = (target: Measurement['target']): number =>
      measurements.find((other) => other.target === target && other.concurrency === one.concurrency)
        ?.requestsPerSecond ?? Number.NaN
    return {
      ...one,
      vsCeiling: one.requestsPerSecond / throughputOf('ceiling'),
      vsDirect: one.requestsPerSecond / throughputOf('direct'),
    }
  })
}

const HEAD = ['target', 'c', 'req/s', 'p50 ms', 'p99 ms', 'CPU us/req', '/ ceiling', '/ direct']

/** For the terminal. */
export function rowsText(rows: readonly Row[]): string {
  return table(HEAD, rows.map(cells))
}

/** Writes docs/bench/latest.md and latest.json. */
export async function writeReport(rows: readonly Row[], versions: Versions): Promise<void> {
  const folder = join(ROOT, 'docs/bench')
  const measuredAt = new Date().toISOString()
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`
  await mkdir(folder, { recursive: true })
  await writeFile(
    join(folder, 'latest.json'),
    `${JSON.stringify({ measuredAt, machine, ...versions, rows }, null, 2)}\n`,
  )
  const lines = [
    '# Benchmark',
    '',
    `Written by \`npm run bench\` on ${measuredAt}: ${machine}, Node ${versions.node}, workerd ${versions.workerd}.`,
    '',
    'One modern `tools/call` per request, closed loop, load generator and all targets on one machine:',
    'compare ratios and CPU, not absolute numbers. `direct` is the upstream (plain node:http), `ceiling`',
    'a Worker that only reads the body and passes it on, both Workers on a bare workerd.',
    '',
    markdownRow(HEAD),
    markdownRow(HEAD.map(() => '---')),
    ...rows.map((row) => markdownRow(cells(row))),
    '',
  ]
  await writeFile(join(folder, 'latest.md'), lines.join('\n'))
}

export interface Versions {
  readonly node: string
  readonly workerd: string
}

function cells(row: Row): string[] {
  return [
    row.target,
    String(row.concurrency),
    row.requestsPerSecond.toFixed(0),
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    row.cpuMicrosPerRequest?.toFixed(0) ?? '-',
    row.vsCeiling.toFixed(2),
    row.vsDirect.toFixed(2),
  ]
}

function markdownRow(texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`
}
