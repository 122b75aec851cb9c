/**
 * How long permits count. A number of milliseconds is a sliding window; `day` and `month` are those
 * of the calendar in UTC, at whose end all permits are back at once.
 */
export type Window = number | 'day' | 'month'

/**
 * A sliding window of two fixed buckets, the older weighted by how much of it the window still
 * covers. Constant size; exact for a steady rate. Whoever spends a whole limit at the end of one
 * bucket may spend it again over the next window, never at once. Of a calendar period there is one
 * bucket alone.
 */
export interface WindowState {
  /** Number of the current bucket: grows with time, by one from bucket to bucket. */
  readonly bucket: number
  readonly current: number
  readonly previous: number
}

/** What one limit allows: `limit` permits in a window. */
export interface WindowRule {
  readonly limit: number
  readonly window: Window
}

export interface Taken {
  readonly state: WindowState
  /** 0 to `want`. */
  readonly granted: number
  /** When nothing was granted: until at least one permit is free again, if nobody takes it. */
  readonly retryAfterMs: number
}

const EMPTY: WindowState = { bucket: 0, current: 0, previous: 0 }
const DAY_MS = 86_400_000

/** Takes as many of the wanted permits as the window has; they count from now on. */
export function takePermits(
  state: WindowState | undefined,
  rule: WindowRule,
  want: number,
  now: number,
): Taken {
  const moved = advance(state ?? EMPTY, rule.window, now)
  const free = Math.floor(rule.limit - usedPermits(moved, rule.window, now))
  const granted = Math.max(0, Math.min(want, free))
  if (granted === 0) return { state: moved, granted, retryAfterMs: waitMs(moved, rule, now) }
  return { state: { ...moved, current: moved.current + granted }, granted, retryAfterMs: 0 }
}

/** Uncounts permits that were taken at `takenAt` and never spent. */
export function returnPermits(
  state: WindowState | undefined,
  window: Window,
  count: number,
  takenAt: number,
  now: number,
): WindowState {
  const moved = advance(state ?? EMPTY, window, now)
  const age = moved.bucket - bucketOf(window, takenAt)
  if (age === 0) return { ...moved, current: Math.max(0, moved.current - count) }
  if (age === 1) return { ...moved, previous: Math.max(0, moved.previous - count) }
  return moved
}

/** Permits that count now; a fraction of them slides out all the time. */
export function usedPermits(state: WindowState | undefined, window: Window, now: number): number {
  const moved = advance(state ?? EMPTY, window, now)
  return moved.current + moved.previous * (1 - elapsed(moved.bucket, window, now))
}

/** True when the state says nothing any more and may be forgotten. */
export function isIdle(state: WindowState, window: Window, now: number): boolean {
  const moved = advance(state, window, now)
  return moved.current === 0 && moved.previous === 0
}

/** When a state of this bucket will say nothing any more, if nothing more is taken. Epoch ms. */
export function idleAt(state: WindowState, window: Window): number {
  return bucketStart(window, state.bucket + (typeof window === 'number' ? 2 : 1))
}

/** The state as it is now. */
export function advance(state: WindowState, window: Window, now: number): WindowState {
  const bucket = bucketOf(window, now)
  // A clock that went back a little stays in the bucket it had reached; one that had run far ahead
  // must not hold what was spent then until it is there again.
  if (state.bucket > bucket + 1) return { ...state, bucket }
  if (bucket <= state.bucket) return state
  const isNext = typeof window === 'number' && bucket === state.bucket + 1
  return { bucket, current: 0, previous: isNext ? state.current : 0 }
}

/** How much of the bucket is over, 0 to 1. */
export function elapsed(bucket: number, window: Window, now: number): number {
  const start = bucketStart(window, bucket)
  return Math.min(1, Math.max(0, (now - start) / (bucketStart(window, bucket + 1) - start)))
}

/** When the period that holds `now` is over: the next bucket begins. Epoch ms. */
export function periodEnd(window: Window, now: number): number {
  return bucketStart(window, bucketOf(window, now) + 1)
}

/** The length of a window in whole seconds, 31 days for a month. */
export function windowSeconds(window: Window): number {
  if (typeof window === 'number') return Math.max(1, Math.round(window / 1_000))
  return (window === 'day' ? 1 : 31) * (DAY_MS / 1_000)
}

/** Until a permit is free again. At least 1. */
function waitMs(state: WindowState, { limit, window }: WindowRule, now: number): number {
  const end = bucketStart(window, state.bucket + 1)
  if (typeof window !== 'number') return Math.max(1, end - now)
  if (limit < 1) return window
  const start = end - window
  const room = limit - 1
  const freeAt =
    state.current <= room
      ? start + share(state.previous, room - state.current) * window
      : end + share(state.current, room) * window
  return Math.max(1, Math.ceil(freeAt - now) + 1)
}

/** How far (0 to 1) a bucket must slide until only `room` of its `count` permits still weigh. */
function share(count: number, room: number): number {
  return count <= room ? 0 : 1 - room / count
}

function bucketOf(window: Window, now: number): number {
  if (window === 'month') {
    const date = new Date(now)
    return date.getUTCFullYear() * 12 + date.getUTCMonth()
  }
  return Math.floor(now / (window === 'day' ? DAY_MS : window))
}

function bucketStart(window: Window, bucket: number): number {
  if (window === 'month') return Date.UTC(Math.floor(bucket / 12), bucket % 12, 1)
  return bucket * (window === 'day' ? DAY_MS : window)
}
