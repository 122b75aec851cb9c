/** Counts what is held for each holder, so that no one of them holds all there is. */
export interface Shares {
  /** Nobody in particular has no share: the whole bounds what the gateway itself holds. */
  isFull(holder: string | undefined): boolean
  take(holder: string | undefined): void
  give(holder: string | undefined): void
}

/** @see Shares. `max` is of one holder. */
export function createShares(max: number): Shares {
  const held = new Map<string, number>()
  return {
    isFull: (holder) => holder !== undefined && (held.get(holder) ?? 0) >= max,

    take(holder) {
      if (holder !== undefined) held.set(holder, (held.get(holder) ?? 0) + 1)
    },

    give(holder) {
      if (holder === undefined) return
      const left = (held.get(holder) ?? 1) - 1
      if (left > 0) held.set(holder, left)
      else held.delete(holder)
    },
  }
}
