import type { ResilienceSettings } from '../../src/resilience/index.ts'

/** One of the six servers behind the gateway. */
export interface ChaosServer {
  readonly name: string
  readonly speaks: 'modern' | 'legacy' | 'dual'
  /** Whether every answer is a stream of events, and not only those of `stream`. */
  readonly streams: boolean
  /** Never touched: what happens to the others must not show here. */
  readonly isSteady: boolean
  /** Each is a proxy of its own before the one server; faults are of the first. */
  readonly endpoints: number
  /** Besides the breaker that all shaky ones have. */
  readonly resilience: ResilienceSettings
}

/** Each has all servers, registered for itself. */
export const TENANTS = ['north', 'south'] as const

const server = (
  name: string,
  speaks: ChaosServer['speaks'],
  more: Partial<ChaosServer> = {},
): ChaosServer => ({
  ...{ name, speaks, streams: false, isSteady: false, endpoints: 1, resilience: {} },
  ...more,
})

/** A sound `read` answers in a few milliseconds: one that hangs is sent to the other endpoint. */
const HEDGE_AFTER_MS = 100
/** Longer than `slow` takes, shorter than the time that the server has for each attempt. */
const DEADLINE_MS = 1_000
/** Fewer than there are clients, so that some wait for their turn while calls hang. */
const BULKHEAD = { maxConcurrent: 4 }

/**
 * Two of each era, one of both, and one that streams; two of them stay well. Of the others one is
 * hedged, one has a deadline and one a bulkhead: what keeps a promise must not break another.
 */
export const SERVERS: readonly ChaosServer[] = [
  server('modern-steady', 'modern', { isSteady: true }),
  server('modern-shaky', 'modern', {
    endpoints: 2,
    resilience: { hedgeAfterMs: HEDGE_AFTER_MS },
  }),
  server('legacy-steady', 'legacy', { isSteady: true }),
  server('legacy-shaky', 'legacy', { resilience: { deadlineMs: DEADLINE_MS } }),
  server('dual-shaky', 'dual', { resilience: { bulkhead: BULKHEAD } }),
  server('stream-shaky', 'modern', { streams: true }),
]

export const SHAKY: readonly string[] = SERVERS.filter(({ isSteady }) => !isSteady).map(
  ({ name }) => name,
)
export const STEADY: readonly string[] = SERVERS.filter(({ isSteady }) => isSteady).map(
  ({ name }) => name,
)
