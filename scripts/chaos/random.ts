/** A stream of chance that one seed determines: the same calls give the same values. */
export interface Random {
  /** At least `from`, less than `to`. */
  between(from: number, to: number): number
  /** A whole number, both ends included. */
  whole(from: number, to: number): number
  /** True this often, of 1. */
  chance(probability: number): boolean
  /** Throws for an empty list. */
  pick<T>(items: readonly T[]): T
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[]
}

/** Mulberry32 (Tommy Ettinger): 32 bits of state, quite enough for who calls what when. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const random: Random = {
    between: (from, to) => from + next() * (to - from),
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    chance: (probability) => next() < probability,
    pick(items) {
      const [picked] = items.slice(random.whole(0, items.length - 1))
      if (picked === undefined) throw new Error('nothing to pick from')
      return picked
    },
    shuffle(items) {
      const keyed = items.map((item) => ({ item, key: next() }))
      return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item)
    },
  }
  return random
}

/** A seed of its own for each part of a run, so that no part's haste changes another's choices. */
export function seedFor(seed: number, part: string): number {
  // FNV-1a, 32 bits.
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (const character of part) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  }
  return hash
}
