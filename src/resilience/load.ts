import type { CallContext, EndpointId } from '../core/index.ts'
import type { Events } from '../observability/index.ts'
import { type Decayed, fadedValue, measured } from './decayed.ts'
import { BATCH_TTL_MS, type LoadReport, type OthersLoad } from './load-batches.ts'

type LoadContext = Pick<CallContext, 'clock' | 'random' | 'requestId' | 'waitUntil'>

/**
 * What is known of each endpoint: the calls of this isolate, and what the other isolates said of
 * theirs last. An endpoint that somebody reads here is one whose load matters: its calls are told to
 * the others, behind responses. So read only where the server's settings need it.
 */
export interface Load {
  /** A call is sent. What it gives is called once it is over, with the time until its headers. */
  begin(ctx: LoadContext, endpoint: EndpointId): (latencyMs?: number) => void
  /**
   * Calls in flight: exact for this isolate, and of the others what they told last. One that tells
   * nothing for 30 s is forgotten, also when it runs long calls beside which none begins or ends.
   */
  inFlight(endpoint: EndpointId, now: number): number
  /** Decayed mean, of this isolate or else of the others; undefined when nobody knows. */
  latencyMs(endpoint: EndpointId, now: number): number | undefined
  /** The same for who only looks: that is no reading, and makes no entry. */
  peekLatencyMs(endpoint: EndpointId, now: number): number | undefined
  /**
   * For a call that the others' numbers keep out: asks for newer ones, where they are a second old.
   * What it gives never rejects.
   */
  refresh(ctx: LoadContext, endpoint: EndpointId): Promise<void> | undefined
}

/** The endpoint's `BreakerObject`, as far as load is concerned. */
export interface LoadStub {
  load(report: LoadReport): Promise<OthersLoad>
}

export interface LoadDeps {
  readonly events: Events
  object(endpoint: EndpointId): LoadStub
}

/** Endpoints that an isolate counts at; past it the oldest that is idle goes. */
const MAX_REMEMBERED = 2_000
/** Latency counts half after it. */
export const HALF_LIFE_MS = 10_000
/** An endpoint that nobody read for so long is told of no more. */
const READ_MS = 60_000
/** Between two reports of one endpoint. */
export const REPORT_MS = 1_000
/** Steady calls between two reports: at most 2 object calls in 100. */
const REPORT_EVERY_CALLS = 50
/** What is still true is told again before the others forget it. */
const REPEAT_MS = BATCH_TTL_MS / 3
/** A change of so many calls is told, or of this part of what was told last. */
const MATERIAL_CALLS = 2
const MATERIAL_PART = 0.25

interface Entry {
  inFlight: number
  latency: Decayed | undefined
  /** When somebody wanted to know, last. */
  readAt: number
  others: OthersLoad
  othersAt: number
  told: number
  toldAt: number
  callsSince: number
  /** When a report was put off last; another is not before it was due. */
  putOffAt: number
}

/** The load of one isolate. */
export function createLoad({ events, object }: LoadDeps): Load {
  const entries = new Map<EndpointId, Entry>()
  let isolate: string | undefined

  function entryOf(endpoint: EndpointId): Entry {
    const known = entries.get(endpoint)
    if (known) return known
    const entry = newEntry()
    // Before it stands among them: it is idle itself.
    if (entries.size >= MAX_REMEMBERED) forgetIdle()
    entries.set(endpoint, entry)
    return entry
  }

  /** Calls in flight would be counted no more; who has some is kept. */
  function forgetIdle(): void {
    for (const [endpoint, { inFlight }] of entries) {
      if (inFlight > 0) continue
      entries.delete(endpoint)
      return
    }
  }

  function read(endpoint: EndpointId, now: number): Entry {
    const entry = entryOf(endpoint)
    entry.readAt = now
    return entry
  }

  async function tell(ctx: LoadContext, endpoint: EndpointId, entry: Entry): Promise<void> {
    const now = ctx.clock.now()
    isolate ??= ctx.random.uuid()
    Object.assign(entry, { told: entry.inFlight, toldAt: now, callsSince: 0 })
    const latencyMs = entry.latency && fadedValue(entry.latency, HALF_LIFE_MS, now)
    try {
      const others = await object(endpoint).load({ isolate, inFlight: entry.inFlight, latencyMs })
      Object.assign(entry, { others, othersAt: now })
    } catch {
      events.emit({ type: 'breaker_unavailable', requestId: ctx.requestId, endpoint })
    }
  }

  /** Never awaited by a call. */
  function tellWhenDue(ctx: LoadContext, endpoint: EndpointId, entry: Entry): void {
    const now = ctx.clock.now()
    if (now - entry.readAt >= READ_MS || isPutOff(entry, now)) return
    const change = Math.abs(entry.inFlight - entry.told)
    const isMaterial = change >= Math.max(MATERIAL_CALLS, entry.told * MATERIAL_PART)
    const isFading = entry.inFlight > 0 && now - entry.toldAt >= REPEAT_MS
    if (!isMaterial && !isFading && entry.callsSince < REPORT_EVERY_CALLS) return
    const waitMs = entry.toldAt + REPORT_MS - now
    if (waitMs <= 0) {
      ctx.waitUntil(tell(ctx, endpoint, entry))
    } else if (isMaterial) {
      // It may be the last word for long: others would believe the one before.
      entry.putOffAt = now
      ctx.waitUntil(
        pause(waitMs).then(() => {
          entry.putOffAt = 0
          return tell(ctx, endpoint, entry)
        }),
      )
    }
  }

  return {
    begin(ctx, endpoint) {
      const entry = entryOf(endpoint)
      entry.inFlight += 1
      entry.callsSince += 1
      if (entry.readAt > 0) tellWhenDue(ctx, endpoint, entry)
      let isOver = false
      return (latencyMs) => {
        if (isOver) return
        isOver = true
        entry.inFlight -= 1
        // Also where nobody reads it: somebody may look.
        if (latencyMs !== undefined) {
          entry.latency = measured(entry.latency, latencyMs, HALF_LIFE_MS, ctx.clock.now())
        }
        if (entry.readAt > 0) tellWhenDue(ctx, endpoint, entry)
      }
    },

    inFlight(endpoint, now) {
      const { inFlight, others, othersAt } = read(endpoint, now)
      return now - othersAt < BATCH_TTL_MS ? inFlight + others.inFlight : inFlight
    },

    latencyMs: (endpoint, now) => latencyOf(read(endpoint, now), now),

    peekLatencyMs(endpoint, now) {
      const entry = entries.get(endpoint)
      return entry && latencyOf(entry, now)
    },

    refresh(ctx, endpoint) {
      const now = ctx.clock.now()
      const entry = read(endpoint, now)
      return now - entry.toldAt < REPORT_MS ? undefined : tell(ctx, endpoint, entry)
    },
  }
}

function latencyOf({ latency, others, othersAt }: Entry, now: number): number | undefined {
  if (latency) return fadedValue(latency, HALF_LIFE_MS, now)
  return now - othersAt < BATCH_TTL_MS ? others.latencyMs : undefined
}

/** By time: what was put off is lost when the platform ends the request that was to send it. */
function isPutOff({ putOffAt }: Entry, now: number): boolean {
  return putOffAt > 0 && now - putOffAt < 2 * REPORT_MS
}

/** The first report is due at once: an isolate that begins wants to know of the others. */
function newEntry(): Entry {
  const never = { readAt: 0, othersAt: 0, toldAt: 0 }
  const others: OthersLoad = { inFlight: 0 }
  return {
    ...never,
    ...{ inFlight: 0, told: 0, latency: undefined, others },
    callsSince: REPORT_EVERY_CALLS,
    putOffAt: 0,
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
