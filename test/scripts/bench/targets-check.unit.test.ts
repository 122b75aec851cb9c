import { describe, expect, it } from 'vitest'
import type { Findings, ListFinding, ScaleFindings } from '../../../scripts/bench/findings.ts'
import type { Sample } from '../../../scripts/bench/measure.ts'
import type { Estimate } from '../../../scripts/bench/stats.ts'
import {
  checkProblem,
  checkTargets,
  SPEED_TARGETS,
  verdictOf,
} from '../../../scripts/bench/targets-check.ts'

const ROUNDS = [0, 1, 2, 3, 4, 5, 6]

/** The gateway against its ceiling of 1,000 requests/s, 100 us and 1 ms, alike in all rounds. */
function samplesOf(gateway: Partial<Sample>, rounds: readonly number[] = ROUNDS): Sample[] {
  return rounds.flatMap((round) =>
    [1, 32].flatMap((concurrency) =>
      ['modern', 'legacy', 'shared', 'stream'].flatMap((row): Sample[] => {
        const ceiling: Sample = {
          ...{ round, concurrency, target: `ceiling-${row}`, requests: 1_000, seconds: 1 },
          ...{ requestsPerSecond: 1_000, cpuMicrosPerRequest: 100, firstEventP50Ms: 1 },
          ...{ p50Ms: 1, p95Ms: 2, p99Ms: 3 },
        }
        return [ceiling, { ...ceiling, ...gateway, target: `gateway-${row}` }]
      }),
    ),
  )
}

function verdicts(findings: Findings): Record<string, string> {
  return Object.fromEntries(
    checkTargets(findings).map(({ target, verdict }) => [target.id, verdict]),
  )
}

const list = (value: number, cachedUpstreamRequests: number): ListFinding => ({
  ...{ servers: 50, tools: 10_000, pages: 10, coldMs: 1, cachedMs: 1, cachedUpstreamRequests },
  ...{ coldCpuMs: 1, cachedCpuMs: 1 },
  coldOverCached: { value, low: value, high: value, pairs: 7 },
})

/** What calls cost with 10,000 servers, over what they cost with few. */
const grown = (costRatio: Estimate): ScaleFindings => ({
  registered: [
    { ...{ count: 10_000, requestsPerSecond: 1, p50Ms: 1, cpuMicrosPerRequest: 1 }, costRatio },
  ],
})

describe('the speed targets', () => {
  it('are all met by a gateway that keeps each bound exactly', () => {
    const samples = samplesOf({
      requestsPerSecond: 800,
      cpuMicrosPerRequest: 125,
      firstEventP50Ms: 1.15,
      p50Ms: 1.15,
    })
    const scale = grown({ value: 1.1, low: 1, high: 1.2, pairs: 7 })
    const found = verdicts({ samples, lists: [list(20, 0)], scale })
    expect(Object.keys(found)).toEqual(SPEED_TARGETS.map(({ id }) => id))
    // exp(log(x)) is not always x.
    expect(Object.values(found).filter((verdict) => verdict !== 'met')).toEqual([])
  })

  it('are each missed by a gateway that is slower in every round', () => {
    const samples = samplesOf({
      requestsPerSecond: 690,
      cpuMicrosPerRequest: 126,
      firstEventP50Ms: 1.16,
      p50Ms: 1.16,
    })
    const scale = grown({ value: 1.2, low: 1.11, high: 1.3, pairs: 7 })
    const found = verdicts({ samples, lists: [list(19, 1)], scale })
    expect(new Set(Object.values(found))).toEqual(new Set(['missed']))
  })

  it('are not judged by what a quick run leaves out', () => {
    expect(verdicts({ samples: samplesOf({ requestsPerSecond: 900 }) })).toMatchObject({
      'modern-rate': 'met',
      'cached-list': 'not measured',
      'cached-list-fetches': 'not measured',
      'registered-cost': 'not measured',
    })
  })

  it('are not judged by fewer than seven paired rounds', () => {
    const samples = samplesOf({ requestsPerSecond: 100 }, [0, 1, 2, 3, 4, 5])
    expect(verdicts({ samples })).toMatchObject({ 'modern-rate': 'not measured' })
  })

  it('pair what was measured in the same round alone', () => {
    const samples = samplesOf({ requestsPerSecond: 900 }).filter(
      ({ round, target }) => !(round === 3 && target === 'ceiling-modern'),
    )
    expect(verdicts({ samples })).toMatchObject({ 'modern-rate': 'not measured' })
  })
})

describe('a check', () => {
  const problem = (findings: Findings) => checkProblem(checkTargets(findings))
  const fast = { requestsPerSecond: 900 }

  it('holds when every row that was measured keeps its targets', () => {
    expect(problem({ samples: samplesOf(fast) })).toBeUndefined()
    const quick = samplesOf(fast).filter(({ target }) => !target.endsWith('-shared'))
    expect(problem({ samples: quick })).toBeUndefined()
  })

  it('fails when a target is missed', () => {
    const samples = samplesOf({ ...fast, firstEventP50Ms: 2 })
    expect(problem({ samples })).toBe('missed: first-event')
  })

  it('fails when nothing was judged', () => {
    const direct = samplesOf(fast).map((one) => ({ ...one, target: 'direct' }))
    expect(problem({ samples: direct })).toContain('no target was judged')
    expect(problem({ samples: [], scale: {} })).toContain('no target was judged')
  })

  it('fails when a row was measured in fewer than seven rounds, whatever the others say', () => {
    const samples = samplesOf(fast).filter(
      ({ round, target }) => round < 3 || !target.endsWith('-legacy'),
    )
    expect(problem({ samples })).toBe('fewer than 7 paired rounds: legacy-rate')
    const scale = grown({ value: 1, low: 1, high: 1, pairs: 3 })
    expect(problem({ samples: [], scale })).toBe('fewer than 7 paired rounds: registered-cost')
  })
})

describe('verdictOf', () => {
  const atLeast = { bound: 0.8, wanted: 'at least' } as const
  const atMost = { bound: 1.25, wanted: 'at most' } as const
  const of = (low: number, value: number, high: number) => ({ low, value, high, pairs: 7 })

  it('is met when the estimate keeps the bound', () => {
    expect(verdictOf(atLeast, of(0.5, 0.8, 0.9))).toBe('met')
    expect(verdictOf(atMost, of(1, 1.25, 2))).toBe('met')
  })

  it('is within noise when the interval alone reaches the bound', () => {
    expect(verdictOf(atLeast, of(0.5, 0.7, 0.8))).toBe('within noise')
    expect(verdictOf(atMost, of(1.25, 1.4, 1.6))).toBe('within noise')
  })

  it('is missed when the whole interval lies on the wrong side', () => {
    expect(verdictOf(atLeast, of(0.5, 0.7, 0.799))).toBe('missed')
    expect(verdictOf(atMost, of(1.26, 1.4, 1.6))).toBe('missed')
  })
})
