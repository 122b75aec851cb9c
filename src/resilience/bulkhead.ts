/** Calls that run at once are bounded, and so are those that wait for one of them to end. */

export interface BulkheadBounds {
  readonly maxConcurrent: number
  readonly maxQueued: number
  /** How long a call waits for its turn. */
  readonly queueMs: number
}

/** What a call holds while it runs. */
export interface Place {
  /** What is bounded: a tenant, an endpoint. */
  readonly key: string
  /** Whose line a place goes to that was left. */
  readonly group: string
  readonly enteredAt: number
}

/** A call that would have any of these places. */
export interface Waiting {
  readonly group: string
  readonly keys: readonly string[]
  /** Lines take turns by it: nobody waits behind all the calls of somebody else. */
  readonly who: string
  readonly signal: AbortSignal
}

export type Waited =
  | { readonly kind: 'entered'; readonly place: Place }
  | { readonly kind: 'refused'; readonly why: 'full' | 'late' | 'left' }

export interface Bulkhead {
  /** Places that are taken. */
  running(key: string): number
  /** Whether a call could enter at once. `elsewhere` is what other isolates run there. */
  hasRoom(key: string, group: string, max: number, now: number, elsewhere?: number): boolean
  /** Undefined when it would have to wait. */
  tryEnter(
    key: string,
    group: string,
    max: number,
    now: number,
    elsewhere?: number,
  ): Place | undefined
  /** Waits in line; whoever leaves frees his place in it at once. Never rejects. */
  wait(waiting: Waiting, bounds: BulkheadBounds): Promise<Waited>
  /** Hands the place to the next in line. Leaving twice does nothing. */
  leave(place: Place, now: number): void
}

/**
 * A place that was not left for so long was lost with its invocation: no call lasts longer than an
 * hour (`MAX_ANSWER_MS`).
 */
export const LOST_AFTER_MS = 65 * 60_000

interface Waiter {
  readonly keys: readonly string[]
  readonly who: string
  settle(waited: Waited): void
}

/** In the order of their turns; nobody has an empty list. */
type Line = Map<string, Waiter[]>

/** @see Bulkhead */
export function createBulkhead(): Bulkhead {
  const places = new Map<string, Set<Place>>()
  const lines = new Map<string, Line>()

  function hasRoom(key: string, group: string, max: number, now: number, elsewhere = 0): boolean {
    const taken = places.get(key)
    const isFull = (): boolean => (taken?.size ?? 0) + elsewhere >= max
    if (isFull() && !(taken && forgetLost(taken, now) && !isFull())) return false
    const line = lines.get(group)
    // Whoever comes now comes after those who wait for the same.
    return line === undefined || next(line, key) === undefined
  }

  function enter(key: string, group: string, now: number): Place {
    const place = { key, group, enteredAt: now }
    const taken = places.get(key)
    if (taken) taken.add(place)
    else places.set(key, new Set([place]))
    return place
  }

  function remove(group: string, line: Line, waiter: Waiter): void {
    const own = line.get(waiter.who)?.filter((each) => each !== waiter) ?? []
    // Whose turn it was is last in line with what else he has.
    line.delete(waiter.who)
    if (own.length > 0) line.set(waiter.who, own)
    if (line.size === 0) lines.delete(group)
  }

  return {
    running: (key) => places.get(key)?.size ?? 0,
    hasRoom,

    tryEnter(key, group, max, now, elsewhere) {
      return hasRoom(key, group, max, now, elsewhere) ? enter(key, group, now) : undefined
    },

    wait({ group, keys, who, signal }, { maxQueued, queueMs }) {
      const line = lines.get(group) ?? new Map<string, Waiter[]>()
      const queued = [...line.values()].reduce((sum, own) => sum + own.length, 0)
      if (signal.aborted) return Promise.resolve({ kind: 'refused', why: 'left' })
      if (queued >= maxQueued) return Promise.resolve({ kind: 'refused', why: 'full' })
      return new Promise((resolve) => {
        const waiter: Waiter = {
          keys,
          who,
          settle(waited) {
            clearTimeout(timer)
            signal.removeEventListener('abort', onAbort)
            remove(group, line, waiter)
            resolve(waited)
          },
        }
        const refuse = (why: 'late' | 'left') => waiter.settle({ kind: 'refused', why })
        const onAbort = (): void => refuse('left')
        const timer = setTimeout(() => refuse('late'), queueMs)
        signal.addEventListener('abort', onAbort, { once: true })
        line.set(who, [...(line.get(who) ?? []), waiter])
        lines.set(group, line)
      })
    },

    leave(place, now) {
      const { key, group } = place
      const taken = places.get(key)
      if (!taken?.delete(place)) return
      const line = lines.get(group)
      const waiter = line && next(line, key)
      if (waiter) waiter.settle({ kind: 'entered', place: enter(key, group, now) })
      else if (taken.size === 0) places.delete(key)
    },
  }
}

/** Whose turn it is at this place. */
function next(line: Line, key: string): Waiter | undefined {
  for (const own of line.values()) {
    const waiter = own.find(({ keys }) => keys.includes(key))
    if (waiter) return waiter
  }
  return undefined
}

/** Whether a place was freed that its call will never leave. */
function forgetLost(taken: Set<Place>, now: number): boolean {
  // They stand in the order in which they were taken.
  const [oldest] = taken
  return oldest !== undefined && now - oldest.enteredAt > LOST_AFTER_MS && taken.delete(oldest)
}
