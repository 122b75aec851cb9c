import { type CallContext, type EndpointId, setBounded } from '../core/index.ts'

/** What is under way at each endpoint, as far as this isolate knows. */
export interface Load {
  /** A call begins; the returned function ends it, once, with the time until its headers. */
  begin(
    ctx: Pick<CallContext, 'clock' | 'waitUntil'>,
    endpoint: EndpointId,
  ): (latencyMs?: number) => void
  inFlight(endpoint: EndpointId, now: number): number
  /** Of late; undefined when nothing was measured. */
  latencyMs(endpoint: EndpointId, now: number): number | undefined
}

/** Endpoints remembered whose calls have ended; the least recently used goes first. */
const MAX_REMEMBERED = 2_000

/** Counts the calls of this isolate alone. */
export function createLoad(): Load {
  const running = new Map<EndpointId, number>()
  const latencies = new Map<EndpointId, number>()
  return {
    begin(_ctx, endpoint) {
      running.set(endpoint, (running.get(endpoint) ?? 0) + 1)
      let isOver = false
      return (latencyMs) => {
        if (isOver) return
        isOver = true
        const left = (running.get(endpoint) ?? 1) - 1
        if (left > 0) running.set(endpoint, left)
        else running.delete(endpoint)
        if (latencyMs !== undefined) setBounded(latencies, endpoint, latencyMs, MAX_REMEMBERED)
      }
    },
    inFlight: (endpoint) => running.get(endpoint) ?? 0,
    latencyMs: (endpoint) => latencies.get(endpoint),
  }
}
