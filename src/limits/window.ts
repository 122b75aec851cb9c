/**
 * A sliding window of two fixed buckets, the older weighted by how much of it the window still
 * covers. Constant size; exact for a steady rate. Whoever spends a whole limit at the end of one
 * bucket may spend it again over the next `windowMs`, never at once.
 */
export interface WindowState {
  /** Number of the current bucket: `floor(now / windowMs)`. */
  readonly bucket: number
  readonly current: number
  readonly previous: number
}

/** What one limit allows: `limit` permits in `windowMs`. */
export interface WindowRule {
  readonly limit: number
  readonly windowMs: number
}

export interface Taken {
  readonly state: WindowState
  /** 0 to `want`. */
  readonly granted: number
  /** When nothing was granted: until at least one permit is free again, if nobody takes it. */
  readonly retryAfterMs: number
}

const EMPTY: WindowState = { bucket: 0, current: 0, previous: 0 }

/** Takes as many of the wanted permits as the window has; they count from now on. */
export function takePermits(
  state: WindowState | undefined,
  rule: WindowRule,
  want: number,
  now: number,
): Taken {
  const moved = advance(state ?? EMPTY, rule.windowMs, now)
  const free = Math.floor(rule.limit - usedPermits(moved, rule.windowMs, now))
  const granted = Math.max(0, Math.min(want, free))
  if (granted === 0) return { state: moved, granted, retryAfterMs: waitMs(moved, rule, now) }
  return { state: { ...moved, current: moved.current + granted }, granted, retryAfterMs: 0 }
}

/** Uncounts permits that were taken at `takenAt` and never spent. */
export function returnPermits(
  state: WindowState | undefined,
  windowMs: number,
  count: number,
  takenAt: number,
  now: number,
): WindowState {
  const moved = advance(state ?? EMPTY, windowMs, now)
  const age = moved.bucket - Math.floor(takenAt / windowMs)
  if (age === 0) return { ...moved, current: Math.max(0, moved.current - count) }
  if (age === 1) return { ...moved, previous: Math.max(0, moved.previous - count) }
  return moved
}

/** Permits that count at `now`; a fraction while the older bucket slides out. */
export function usedPermits(state: WindowState, windowMs: number, now: number): number {
  const moved = advance(state, windowMs, now)
  const elapsed = Math.max(0, now - moved.bucket * windowMs) / windowMs
  return moved.current + moved.previous * (1 - elapsed)
}

/** True when the state says nothing any more and may be forgotten. */
export function isIdle(state: WindowState, windowMs: number, now: number): boolean {
  const moved = advance(state, windowMs, now)
  return moved.current === 0 && moved.previous === 0
}

function advance(state: WindowState, windowMs: number, now: number): WindowState {
  const bucket = Math.floor(now / windowMs)
  // A clock that went back a little stays in the bucket it had reached.
  if (bucket <= state.bucket) return state
  const previous = bucket === state.bucket + 1 ? state.current : 0
  return { bucket, current: 0, previous }
}

function waitMs(state: WindowState, { limit, windowMs }: WindowRule, now: number): number {
  if (limit < 1) return windowMs
  const start = state.bucket * windowMs
  const room = limit - 1
  const freeAt =
    state.current <= room
      ? start + share(state.previous, room - state.current) * windowMs
      : start + windowMs + share(state.current, room) * windowMs
  return Math.max(1, Math.ceil(freeAt - now) + 1)
}

/** How far (0 to 1) a bucket must slide until only `room` of its `count` permits still weigh. */
function share(count: number, room: number): number {
  return count <= room ? 0 : 1 - room / count
}
