import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { environmentOf } from '../../../scripts/bench/environment.ts'
import type { Sample } from '../../../scripts/bench/measure.ts'
import { resultsMarkdown, resultsText } from '../../../scripts/bench/report.ts'
import { estimateText } from '../../../scripts/bench/report-cells.ts'
import { mergeResults, type Results, scaleResults } from '../../../scripts/bench/results.ts'
import { summarise } from '../../../scripts/bench/summary.ts'
import { checkTargets } from '../../../scripts/bench/targets-check.ts'
import { ROOT } from '../../../scripts/start/state.ts'

const sample = (target: string, round: number, requestsPerSecond: number): Sample => ({
  ...{ target, round, requestsPerSecond, concurrency: 32, requests: 100, seconds: 1 },
  ...{ p50Ms: round + 1, p95Ms: 2, p99Ms: 3 },
})
const samples = [0, 1, 2].flatMap((round) => [
  sample('direct', round, 1_000 * (round + 1)),
  sample('ceiling-modern', round, 100 * (round + 1)),
  { ...sample('gateway-modern', round, 80 * (round + 1)), cpuMicrosPerRequest: 200 + round },
])
const targets = [
  { name: 'direct' },
  { name: 'ceiling-modern' },
  { name: 'gateway-modern', ceiling: 'ceiling-modern' },
]
const rows = summarise(samples, targets, [32])
const measured = {
  ...environmentOf({ upstream: 'nginx/1 with Lua', load: 'wrk' }),
  ...{ command: 'npm run bench -- --quick', day: '2026-11-21' },
}

const soak = {
  ...{ seconds: 600, wantedPerSecond: 300, requests: 180_000, errors: 0, p50Ms: 1, p99Ms: 2 },
  ...{ residentMiBBefore: 200, residentMiBAfter: 210 },
}
const streams = { streams: 500, seconds: 60, survived: 500, kibPerStream: 100 }

describe('summarise', () => {
  it('takes medians of the rounds', () => {
    expect(rows.map(({ requestsPerSecond, p50Ms }) => [requestsPerSecond, p50Ms])).toEqual([
      [2_000, 2],
      [200, 2],
      [160, 2],
    ])
    expect(rows[2]?.cpuMicrosPerRequest).toBe(201)
  })

  it('pairs ratios by round, so that a machine that speeds up does not show', () => {
    const { direct, ceiling, nginx, ceilingCpu } = rows[2]?.ratios ?? {}
    expect(direct?.value).toBeCloseTo(0.08)
    expect(ceiling?.low).toBeCloseTo(0.8)
    expect(ceiling?.high).toBeCloseTo(0.8)
    expect([nginx, ceilingCpu]).toEqual([undefined, undefined])
    expect(rows[0]?.ratios).toEqual({})
  })
})

describe('the report', () => {
  const results = { calls: { measured, rounds: 3, seconds: 1, rows } }
  const lists = {
    measured,
    rows: [
      {
        ...{ servers: 50, tools: 10_000, pages: 10, coldMs: 500, cachedMs: 10 },
        ...{ coldCpuMs: 200, cachedCpuMs: undefined, cachedUpstreamRequests: 0 },
        coldOverCached: { value: 25, low: 20, high: 30, pairs: 7 },
      },
    ],
  }

  it('says how it was measured and holds one row per target and concurrency', () => {
    const text = resultsMarkdown(results)
    expect(text).toContain('`npm run bench -- --quick`, 2026-11-21: ')
    expect(text).toContain('3 interleaved rounds of 1 s a row')
    expect(text).toContain('| gateway-modern | 32 | 160 | 2.00 | 2.00 | 3.00 | - | 201 | - |')
    expect(text).toContain('| 0.80 (0.80 to 0.80) |')
  })

  it('holds lists and scale runs where they were measured', () => {
    const text = resultsMarkdown({ ...results, lists, scale: scaleResults({ soak }, measured) })
    expect(text).toContain('| 50 | 10000 | 10 | 500.0 | 10.00 | 200.0 | - | 25.0 (20.0 to 30.0) |')
    expect(text).toContain('180000 requests, 0 errors')
    expect(resultsMarkdown(results)).not.toContain('## Scale')
  })

  it('says of each scale run by what command and when it was measured', () => {
    const earlier = { ...measured, command: 'npm run bench -- --scale', day: '2026-11-20' }
    const text = resultsMarkdown({
      scale: { ...scaleResults({ streams }, earlier), ...scaleResults({ soak }, measured) },
    })
    const [, ofStreams, ofSoak] = text.split('### ')
    expect(ofStreams).toMatch(/^Open streams\n\n`npm run bench -- --scale`, 2026-11-20: /)
    expect(ofStreams).toContain('500 still open')
    expect(ofSoak).toMatch(/^Soak\n\n`npm run bench -- --quick`, 2026-11-21: /)
    expect(ofSoak).toContain('180000 requests, 0 errors')
  })

  it('in docs/bench is that of the results beside it', async () => {
    const folder = join(ROOT, 'docs/bench')
    const written = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8')) as Results
    expect(await readFile(join(folder, 'results.md'), 'utf8')).toBe(resultsMarkdown(written))
  })

  it('names no path of the machine', () => {
    const text = JSON.stringify(results) + resultsMarkdown(results)
    expect(text).not.toContain(ROOT)
    expect(text).not.toContain(tmpdir())
  })

  it('shows each target with its verdict', () => {
    const text = resultsText(results, checkTargets({ samples }))
    expect(text).toMatch(/modern-rate: .* at least 0\.8 +0\.800 \(0\.800 to 0\.800\) +not measured/)
  })

  it('leaves out an interval that is not known', () => {
    expect(estimateText({ value: 0.5, low: 0, high: Number.POSITIVE_INFINITY, pairs: 1 })).toBe(
      '0.50',
    )
    expect(estimateText(undefined)).toBe('-')
  })
})

describe('the results of a run', () => {
  const later = { ...measured, day: '2026-11-22' }
  const calls = { measured, rounds: 3, seconds: 1, rows }
  const earlier: Results = { calls, scale: scaleResults({ streams, soak }, measured) }

  it('leave the scale runs that it did not repeat', () => {
    const merged = mergeResults(earlier, { scale: scaleResults({ soak }, later) })
    expect(merged.calls).toBe(earlier.calls)
    expect(merged.scale?.streams).toEqual({ measured, ...streams })
    expect(merged.scale?.soak).toEqual({ measured: later, ...soak })
  })

  it('leave every scale run when it is of rows alone', () => {
    const merged = mergeResults(earlier, { calls: { ...calls, measured: later } })
    expect(merged.calls?.measured).toBe(later)
    expect(merged.scale).toEqual(earlier.scale)
    expect(mergeResults({}, { calls })).toEqual({ calls })
  })

  it('hold the scale runs that were asked for, and no others', () => {
    expect(Object.keys(scaleResults({ registered: [], soak }, measured))).toEqual([
      'registered',
      'soak',
    ])
  })
})
