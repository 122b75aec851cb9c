import type { ListFinding } from './findings.ts'
import type { Estimate } from './stats.ts'
import type { CallRow } from './summary.ts'
import type { CheckedTarget } from './targets-check.ts'

/** One row of each table as text. Pure. */

export const CALL_HEAD = [
  ...['row', 'c', 'req/s', 'p50 ms', 'p95 ms', 'p99 ms', 'first event ms', 'CPU us/req', 'MiB'],
  ...['/ direct', '/ ceiling', '/ nginx', '/ nginx auth', 'CPU / ceiling'],
]

export function callCells(row: CallRow): string[] {
  return [
    row.target,
    String(row.concurrency),
    row.requestsPerSecond.toFixed(0),
    row.p50Ms.toFixed(2),
    row.p95Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    fixed(row.firstEventP50Ms, 2),
    fixed(row.cpuMicrosPerRequest, 0),
    fixed(row.residentMiB, 0),
    fixed(row.ratios.direct?.value, 2),
    estimateText(row.ratios.ceiling),
    fixed(row.ratios.nginx?.value, 2),
    fixed(row.ratios.nginxAuth?.value, 2),
    estimateText(row.ratios.ceilingCpu),
  ]
}

export const LIST_HEAD = [
  ...['servers', 'tools', 'pages', 'cold ms', 'cached ms', 'cold CPU ms', 'cached CPU ms'],
  ...['cold / cached', 'upstream requests when cached'],
]

export function listCells(row: ListFinding): string[] {
  return [
    String(row.servers),
    String(row.tools),
    String(row.pages),
    row.coldMs.toFixed(1),
    row.cachedMs.toFixed(2),
    fixed(row.coldCpuMs, 1),
    fixed(row.cachedCpuMs, 2),
    estimateText(row.coldOverCached, 1),
    String(row.cachedUpstreamRequests),
  ]
}

export const CHECK_HEAD = ['target', 'bound', 'measured', 'verdict']

export function checkCells({ target, estimate, verdict }: CheckedTarget): string[] {
  const unit = target.unit === 'times' ? '' : ` ${target.unit}`
  return [
    `${target.id}: ${target.says}`,
    `${target.wanted} ${target.bound}${unit}`,
    estimateText(estimate, 3),
    verdict,
  ]
}

/** `0.84 (0.79 to 0.90)`. */
export function estimateText(estimate: Estimate | undefined, digits = 2): string {
  if (estimate === undefined) return '-'
  const { value, low, high } = estimate
  const isKnown = Number.isFinite(low) && Number.isFinite(high)
  const interval = isKnown ? ` (${low.toFixed(digits)} to ${high.toFixed(digits)})` : ''
  return value.toFixed(digits) + interval
}

function fixed(value: number | undefined, digits: number): string {
  return value?.toFixed(digits) ?? '-'
}
