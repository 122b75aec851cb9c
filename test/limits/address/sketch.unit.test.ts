import { describe, expect, it } from 'vitest'
import { halfSipHash } from '../../../src/limits/address/half-sip-hash.ts'
import { createSketch, sketchError } from '../../../src/limits/address/sketch.ts'
import { T } from '../world.ts'

const KEY = { k0: 0x03020100, k1: 0x07060504 }

describe('HalfSipHash', () => {
  it('gives what its authors give for two words', () => {
    // Row 8 of vectors_hsip64 in github.com/veorq/SipHash: the bytes 0 to 7 under the key 0 to 7, little-endian.
    const [low, high] = halfSipHash(KEY, [0x03020100, 0x07060504])
    expect([low.toString(16), high.toString(16)]).toEqual(['20e8feed', '8c85e4bc'])
  })
})

describe('the sketch', () => {
  it('never counts too few, and too many by the stated error at most, of 200,000 addresses', () => {
    const sketch = createSketch(KEY)
    const total = 200_000
    for (let n = 0; n < total; n += 1) sketch.take([4, 0x0a000000 + n, 0], 3_000, T)
    let worst = 0
    let beyond = 0
    const probes = 500
    for (let n = 0; n < probes; n += 1) {
      // What is left of a limit of 3,000 tells how much is counted already; each address has 1.
      let left = 0
      while (sketch.take([4, 0x0b000000 + n, 0], 200, T)) left += 1
      const counted = 200 - left
      worst = Math.max(worst, counted)
      if (counted > sketchError(total + probes * 200)) beyond += 1
    }
    expect(sketchError(total)).toBe(67)
    expect(beyond / probes).toBeLessThanOrEqual(0.02)
    expect(worst).toBeLessThan(200)
  })

  it('refuses more than the limit whatever the hash', () => {
    for (let seed = 1; seed < 50; seed += 1) {
      const sketch = createSketch({ k0: seed * 7_919, k1: seed * 104_729 })
      let served = 0
      for (let n = 0; n < 60; n += 1) if (sketch.take([6, 0x20010db8, 1], 50, T + n)) served += 1
      expect(served).toBe(50)
    }
  })

  it('slides: half a minute after a full one, half of the limit is free', () => {
    const sketch = createSketch(KEY)
    const serve = (now: number) => {
      let served = 0
      while (sketch.take([4, 1, 0], 100, now)) served += 1
      return served
    }
    expect(serve(T)).toBe(100)
    expect(serve(T + 90_000)).toBe(50)
    expect(serve(T + 600_000)).toBe(100)
  })
})
