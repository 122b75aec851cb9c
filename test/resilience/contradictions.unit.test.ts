import { describe, expect, it } from 'vitest'
import { contradictionsIn, ResilienceSettings } from '../../src/resilience/index.ts'

const DEFAULTS = { breakerOpenMs: 30_000, endpointConcurrent: 0 }

function pathsOf(settings: object, defaults = DEFAULTS): string[] {
  const parsed = ResilienceSettings.parse(settings)
  return contradictionsIn(parsed, { timeoutMs: 30_000 }, defaults).map(({ path }) => path)
}

describe('settings that would do nothing beside the others', () => {
  it.each<[string, object]>([
    ['hashBy', { hashBy: 'session' }],
    ['hashBy', { hashBy: { header: 'X-Room' }, balancer: 'random' }],
    ['hedgeAfterMs', { hedgeAfterMs: 500, deadlineMs: 500 }],
    ['hedgeAfterMs', { hedgeAfterMs: 900, deadlineMs: 500, toolDeadlinesMs: { slow: 800 } }],
    ['hedgeAfterMs', { hedgeAfterMs: 30_000 }],
    ['hedgeAfterMs', { hedgeAfterMs: 40_000, deadlineMs: 50_000 }],
    ['retries.budgetPercent', { hedgeAfterMs: 100, retries: { budgetPercent: 0 } }],
    ['bulkhead.queueMs', { bulkhead: { maxConcurrent: 1, maxQueued: 0, queueMs: 10 } }],
    ['bulkhead.maxConcurrent', { bulkhead: { maxQueued: 10 } }],
    ['breaker.maxOpenMs', { breaker: { openMs: 5_000, maxOpenMs: 1_000 } }],
    ['breaker.maxOpenMs', { breaker: { maxOpenMs: 29_999 } }],
  ])('are named: %s in %j', (path, settings) => {
    expect(pathsOf(settings)).toEqual([path])
  })

  it('are named all at once', () => {
    const all = { hashBy: 'principal', hedgeAfterMs: 100, deadlineMs: 100, bulkhead: {} }
    expect(pathsOf(all)).toEqual(['hashBy', 'hedgeAfterMs', 'bulkhead.maxConcurrent'])
  })
})

describe('settings that go together', () => {
  it.each<object>([
    {},
    { balancer: 'consistent-hash' },
    { balancer: 'consistent-hash', hashBy: 'session' },
    { hedgeAfterMs: 29_999 },
    { retries: { budgetPercent: 0 } },
    { hedgeAfterMs: 499, deadlineMs: 500 },
    { hedgeAfterMs: 600, deadlineMs: 500, toolDeadlinesMs: { slow: 800 } },
    { bulkhead: { maxConcurrent: 1, maxQueued: 0 } },
    { breaker: { openMs: 600_000 } },
    { breaker: { openMs: 100, maxOpenMs: 100 } },
    { breaker: { maxOpenMs: 30_000 } },
  ])('are %j', (settings) => {
    expect(pathsOf(settings)).toEqual([])
  })

  it('depend on what the deployment says', () => {
    const own = { breakerOpenMs: 500, endpointConcurrent: 50 }
    expect(pathsOf({ bulkhead: { maxQueued: 10 }, breaker: { maxOpenMs: 500 } }, own)).toEqual([])
  })
})
