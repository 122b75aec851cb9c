import type { AddressWords } from './client-address.ts'
import { type HashKey, halfSipHash } from './half-sip-hash.ts'

/** 4 rows of 8,192 counters of 4 bytes, twice: 256 KiB, whatever the number of addresses. */
const ROWS = 4
const COLUMNS = 8_192
const WINDOW_MS = 60_000

/** Counts what many addresses do in a minute, in constant memory. */
export interface Sketch {
  /**
   * Counts one request of the address unless that would be more than `limit` in
   * the minute; whether it was counted. Never too few are counted; too many by at most `sketchError`.
   */
  take(address: AddressWords, limit: number, now: number): boolean
}

/**
 * How many requests too many a sketch counts of an address, at most, in all but 2% of addresses
 * (e^-4), when `total` were counted in the window: Cormode and Muthukrishnan, An improved data
 * stream summary. Only the smallest of an address's counters are raised, which makes it less.
 */
export function sketchError(total: number): number {
  return Math.ceil((Math.E / COLUMNS) * total)
}

/**
 * A count-min sketch over a sliding window of two buckets, as `window.ts` has it. What is refused
 * is not counted, so who keeps on calling is served again as his minute slides on.
 */
export function createSketch(key: HashKey): Sketch {
  let current = new Uint32Array(ROWS * COLUMNS)
  let previous = new Uint32Array(ROWS * COLUMNS)
  let bucket = 0
  const cells = new Uint32Array(ROWS)

  function advance(now: number): void {
    const next = Math.floor(now / WINDOW_MS)
    if (next <= bucket) return
    const oldest = previous
    previous = current
    current = oldest.fill(0)
    if (next > bucket + 1) previous.fill(0)
    bucket = next
  }

  return {
    take(address, limit, now) {
      advance(now)
      const weight = 1 - Math.min(1, Math.max(0, (now - bucket * WINDOW_MS) / WINDOW_MS))
      const [low, high] = halfSipHash(key, address)
      let used = Number.POSITIVE_INFINITY
      let smallest = Number.POSITIVE_INFINITY
      for (let row = 0; row < ROWS; row += 1) {
        // Two hashes make all rows' (Kirsch and Mitzenmacher); `high` is odd, so none repeats.
        const column = ((low + Math.imul(row, high | 1)) >>> 0) % COLUMNS
        const cell = row * COLUMNS + column
        cells[row] = cell
        const counted = current[cell] ?? 0
        used = Math.min(used, counted + (previous[cell] ?? 0) * weight)
        smallest = Math.min(smallest, counted)
      }
      if (used + 1 > limit) return false
      for (const cell of cells) if (current[cell] === smallest) current[cell] = smallest + 1
      return true
    },
  }
}
