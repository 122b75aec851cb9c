/** Calls that run at once are bounded, and so are those that wait for one of them to end. */

/** How many calls may hold a seat of one key, and how many may wait for one. */
export interface BulkheadBounds {
  readonly maxConcurrent: number
  readonly maxQueued: number
  /** How long a call waits for its turn. */
  readonly queueMs: number
}

/** What a call holds while it runs. */
export interface Seat<Key extends string = string> {
  /** What is bounded: a tenant, an endpoint. */
  readonly key: Key
  /** Whose line a seat goes to that was left. */
  readonly group: string
  readonly enteredAt: number
}

/** A call that would have any of these seats. */
export interface Waiting<Key extends string = string> {
  readonly group: string
  readonly keys: readonly Key[]
  /** Lines take turns by it: nobody waits behind all the calls of somebody else. */
  readonly who: string
  readonly signal: AbortSignal
}

/** What waiting came to: a seat, or a full line, too long a wait, a caller who left. */
export type Waited<Key extends string = string> =
  | { readonly kind: 'entered'; readonly seat: Seat<Key> }
  | { readonly kind: 'refused'; readonly why: 'full' | 'late' | 'left' }

/** The seats of one isolate, and the lines before them. Lines are of a group, seats of a key. */
export interface Bulkhead<Key extends string = string> {
  /** Seats that are taken. */
  running(key: Key): number
  /** Whether a call could enter at once. Where nothing runs in this isolate, one always could. */
  hasRoom(key: Key, group: string, max: number, now: number): boolean
  /** Undefined when it would have to wait. Those who wait for the same are let in first. */
  tryEnter(key: Key, group: string, max: number, now: number): Seat<Key> | undefined
  /** Waits in line, unless there is room; whoever leaves frees his place in it. Never rejects. */
  wait(waiting: Waiting<Key>, bounds: BulkheadBounds, now: number): Promise<Waited<Key>>
  /** Lets in who waits and has room by now: less runs elsewhere than did. */
  serve(key: Key, group: string, now: number): void
  /** Hands the seat to the next in line. Leaving twice does nothing. */
  leave(seat: Seat<Key>, now: number): void
}

/**
 * A seat that was not left for so long was lost with its invocation: no call lasts longer than an
 * hour (`MAX_ANSWER_MS`).
 */
export const LOST_AFTER_MS = 65 * 60_000
/**
 * Who is handed a seat takes it in the same turn of the event loop. One that was not taken went to
 * a request that the platform had dropped without a word.
 */
const UNTAKEN_AFTER_MS = 1_000

interface Waiter<Key extends string> {
  readonly keys: readonly Key[]
  readonly who: string
  readonly max: number
  readonly until: number
  /** Does nothing the second time. */
  settle(waited: Waited<Key>): void
}

/** In the order of their turns; nobody has an empty list. */
type Line<Key extends string> = Map<string, Waiter<Key>[]>

/** `elsewhere` is what other isolates run there; asked only where it decides. @see Bulkhead */
export function createBulkhead<Key extends string = string>(
  elsewhere: (key: Key, now: number) => number = () => 0,
): Bulkhead<Key> {
  const seats = new Map<Key, Set<Seat<Key>>>()
  const lines = new Map<string, Line<Key>>()
  /** Handed to who waits, and not yet taken. */
  const untaken = new Set<Seat<Key>>()

  function isFree(key: Key, max: number, now: number): boolean {
    const taken = seats.get(key)
    // Were it for the others alone, nothing here would ever end and let the line move on.
    if (taken === undefined || taken.size === 0) return true
    if (taken.size < max && taken.size + elsewhere(key, now) < max) return true
    return forgetLost(taken, now) && isFree(key, max, now)
  }

  /** Whether seats were freed that their calls will never leave. */
  function forgetLost(taken: Set<Seat<Key>>, now: number): boolean {
    const before = taken.size
    for (const seat of untaken) {
      if (now - seat.enteredAt <= UNTAKEN_AFTER_MS) continue
      untaken.delete(seat)
      seats.get(seat.key)?.delete(seat)
    }
    // They stand in the order in which they were taken.
    const [oldest] = taken
    if (oldest !== undefined && now - oldest.enteredAt > LOST_AFTER_MS) taken.delete(oldest)
    return taken.size < before
  }

  function enter(key: Key, group: string, now: number): Seat<Key> {
    const seat = { key, group, enteredAt: now }
    const taken = seats.get(key)
    if (taken) taken.add(seat)
    else seats.set(key, new Set([seat]))
    return seat
  }

  function remove(group: string, line: Line<Key>, waiter: Waiter<Key>, hadTurn: boolean): void {
    const own = line.get(waiter.who)?.filter((each) => each !== waiter) ?? []
    // Whose turn it was is last in line with what else he has; who gives up keeps his place for it.
    if (hadTurn || own.length === 0) line.delete(waiter.who)
    if (own.length > 0) line.set(waiter.who, own)
    if (line.size === 0 && lines.get(group) === line) lines.delete(group)
  }

  function serve(key: Key, group: string, now: number): void {
    const line = lines.get(group)
    if (line === undefined) return
    for (;;) {
      const waiter = next(line, key)
      if (waiter === undefined) return
      if (isLate(waiter, now)) waiter.settle({ kind: 'refused', why: 'late' })
      else if (isFree(key, waiter.max, now)) {
        const seat = enter(key, group, now)
        untaken.add(seat)
        waiter.settle({ kind: 'entered', seat })
      } else return
    }
  }

  function hasRoom(key: Key, group: string, max: number, now: number): boolean {
    const line = lines.get(group)
    // Whoever comes now comes after those who wait for the same.
    if (line !== undefined && next(line, key) !== undefined) return false
    return isFree(key, max, now)
  }

  function tryEnter(key: Key, group: string, max: number, now: number): Seat<Key> | undefined {
    serve(key, group, now)
    return hasRoom(key, group, max, now) ? enter(key, group, now) : undefined
  }

  /** Ends by itself whatever it began: no other request may touch its timer. */
  async function stand(
    { group, keys, who, signal }: Waiting<Key>,
    { queueMs, maxConcurrent: max }: BulkheadBounds,
    now: number,
  ): Promise<Waited<Key>> {
    const line = lines.get(group) ?? new Map<string, Waiter<Key>[]>()
    let refuse: (why: 'late' | 'left') => void = () => undefined
    const onAbort = (): void => refuse('left')
    const settled = new Promise<Waited<Key>>((resolve) => {
      let isSettled = false
      const waiter: Waiter<Key> = {
        ...{ keys, who, max, until: now + queueMs },
        settle(waited) {
          if (isSettled) return
          isSettled = true
          remove(group, line, waiter, waited.kind === 'entered')
          resolve(waited)
        },
      }
      refuse = (why) => waiter.settle({ kind: 'refused', why })
      line.set(who, [...(line.get(who) ?? []), waiter])
      lines.set(group, line)
    })
    const timer = setTimeout(() => refuse('late'), queueMs)
    signal.addEventListener('abort', onAbort, { once: true })
    const waited = await settled
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    if (waited.kind === 'entered') untaken.delete(waited.seat)
    return waited
  }

  return {
    running: (key) => seats.get(key)?.size ?? 0,
    ...{ hasRoom, tryEnter, serve },

    wait(waiting, bounds, now) {
      const { group, keys, signal } = waiting
      if (signal.aborted) return Promise.resolve({ kind: 'refused', why: 'left' })
      for (const key of keys) {
        const seat = tryEnter(key, group, bounds.maxConcurrent, now)
        if (seat) return Promise.resolve({ kind: 'entered', seat })
      }
      const line = lines.get(group)
      if (queuedIn(line, now) >= bounds.maxQueued && !makesRoom(line, waiting.who)) {
        return Promise.resolve({ kind: 'refused', why: 'full' })
      }
      return stand(waiting, bounds, now)
    },

    leave(seat, now) {
      const { key, group } = seat
      const taken = seats.get(key)
      if (!taken?.delete(seat)) return
      serve(key, group, now)
      if (taken.size === 0 && seats.get(key) === taken) seats.delete(key)
    },
  }
}

/** Whose turn it is at this seat. */
function next<Key extends string>(line: Line<Key>, key: Key): Waiter<Key> | undefined {
  for (const own of line.values()) {
    const waiter = own.find(({ keys }) => keys.includes(key))
    if (waiter) return waiter
  }
  return undefined
}

/**
 * A full line is shared alike: who has two places less in it than somebody else gets the last that
 * came of theirs. Whether there is one.
 */
function makesRoom<Key extends string>(line: Line<Key> | undefined, who: string): boolean {
  const own = line?.get(who)?.length ?? 0
  let most: readonly Waiter<Key>[] = []
  for (const each of line?.values() ?? []) if (each.length > most.length) most = each
  if (most.length < own + 2) return false
  most.at(-1)?.settle({ kind: 'refused', why: 'full' })
  return true
}

/** How many wait; whoever waits for longer than he may does not. */
function queuedIn<Key extends string>(line: Line<Key> | undefined, now: number): number {
  let queued = 0
  for (const own of [...(line?.values() ?? [])]) {
    for (const waiter of own) {
      if (isLate(waiter, now)) waiter.settle({ kind: 'refused', why: 'late' })
      else queued += 1
    }
  }
  return queued
}

/** Its own timer, which would have told, ends with a request that the platform dropped. */
function isLate({ until }: { readonly until: number }, now: number): boolean {
  return now >= until
}
