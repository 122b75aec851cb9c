/** What a timer of the platform can count. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** Ends a stream when its life is over; gives what forgets it. */
export function afterLife(maxMs: number, end: () => void): () => void {
  const timer = setTimeout(end, Math.min(maxMs, MAX_TIMER_MS))
  return () => clearTimeout(timer)
}
