/** Two words of a key that nobody outside the isolate knows. */
export interface HashKey {
  readonly k0: number
  readonly k1: number
}

/**
 * HalfSipHash-2-4 of a few 32-bit words, with 64 bits of output as two words: a keyed hash, so whoever
 * does not know the key cannot look for addresses that collide (Aumasson, Bernstein: SipHash).
 */
export function halfSipHash({ k0, k1 }: HashKey, words: readonly number[]): [number, number] {
  let v0 = k0
  let v1 = k1 ^ 0xee
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1

  function round(): void {
    v0 = (v0 + v1) | 0
    v1 = rotate(v1, 5) ^ v0
    v0 = rotate(v0, 16)
    v2 = (v2 + v3) | 0
    v3 = rotate(v3, 8) ^ v2
    v0 = (v0 + v3) | 0
    v3 = rotate(v3, 7) ^ v0
    v2 = (v2 + v1) | 0
    v1 = rotate(v1, 13) ^ v2
    v2 = rotate(v2, 16)
  }
  function absorb(word: number): void {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  for (const word of words) absorb(word | 0)
  absorb((words.length * 4) << 24)
  v2 ^= 0xee
  for (let count = 0; count < 4; count += 1) round()
  const low = (v1 ^ v3) >>> 0
  v1 ^= 0xdd
  for (let count = 0; count < 4; count += 1) round()
  return [low, (v1 ^ v3) >>> 0]
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
