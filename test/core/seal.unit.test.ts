import { describe, expect, it } from 'vitest'
import { createSealer, type SealPurpose, systemRandom } from '../../src/core/index.ts'

const SECRET = 'one-one-one-one-one-one-one-one-one-one-one'
const OTHER = 'two-two-two-two-two-two-two-two-two-two-two'
const BOUND = ['acme', 'https://idp.example#0123456789abcdef', 'shop']

function sealerAt(time: { now: number }, ...secrets: string[]) {
  const deps = { clock: { now: () => time.now }, random: systemRandom }
  return createSealer(secrets.length > 0 ? secrets : [SECRET], deps)
}

describe('a sealed value', () => {
  const time = { now: 1_000 }
  const sealer = sealerAt(time)
  const value = { upstreamId: 'ü', nested: { n: [1, null, 'x'] } }

  it('opens to what was sealed, also on another isolate with the same secret', async () => {
    const sealed = await sealer.seal('session', BOUND, value)
    expect(await sealer.open('session', BOUND, sealed)).toEqual(value)
    expect(await sealerAt(time).open('session', BOUND, sealed)).toEqual(value)
  })

  it('fits a header, shows nothing, and is never the same twice', async () => {
    const first = await sealer.seal('session', BOUND, value)
    const second = await sealer.seal('session', BOUND, value)
    expect(first).toMatch(/^[0-9a-f]{8}\.[A-Za-z0-9_-]+$/)
    expect(first).not.toBe(second)
    expect(atob(first.slice(9).replaceAll('-', '+').replaceAll('_', '/'))).not.toContain('upstream')
  })

  it('does not open when any character of it was changed', async () => {
    const sealed = await sealer.seal('session', BOUND, value)
    for (let at = 0; at < sealed.length; at += 1) {
      const swapped = sealed[at] === 'A' ? 'B' : 'A'
      const tampered = sealed.slice(0, at) + swapped + sealed.slice(at + 1)
      expect(await sealer.open('session', BOUND, tampered), `at ${at}`).toBeUndefined()
    }
  })

  it.each(['', '.', 'x', 'null', '{}', '0'.repeat(100), '....', 'A'.repeat(20_000)])(
    'is not %j',
    async (text) => {
      expect(await sealer.open('session', BOUND, text)).toBeUndefined()
    },
  )

  it('does not open when it was cut, lengthened, padded or written twice', async () => {
    const sealed = await sealer.seal('session', BOUND, value)
    for (const wrong of [
      sealed.slice(0, -1),
      sealed.slice(1),
      `${sealed}A`,
      `${sealed}=`,
      ` ${sealed}`,
      `${sealed}.${sealed}`,
      sealed.slice(0, 12),
      sealed.toUpperCase(),
    ]) {
      expect(await sealer.open('session', BOUND, wrong)).toBeUndefined()
    }
  })

  it('opens for no other tenant, principal or target, however they are put together', async () => {
    const sealed = await sealer.seal('session', BOUND, value)
    const [tenant = '', principal = '', target = ''] = BOUND
    for (const other of [
      ['acme2', principal, target],
      [tenant, 'someone#else', target],
      [tenant, principal, 'other'],
      [tenant, principal],
      [tenant, principal, target, ''],
      [`${tenant},${principal}`, target],
      [`${tenant}","${principal}`, target],
      [principal, tenant, target],
      [],
    ]) {
      expect(await sealer.open('session', other, sealed)).toBeUndefined()
    }
  })

  it('opens for no other purpose', async () => {
    const purposes: SealPurpose[] = ['session', 'cursor', 'request-state', 'headers']
    for (const purpose of purposes) {
      const sealed = await sealer.seal(purpose, BOUND, value)
      for (const other of purposes.filter((name) => name !== purpose)) {
        expect(await sealer.open(other, BOUND, sealed)).toBeUndefined()
      }
    }
  })

  it('opens until the millisecond at which it expires, and without an expiry for ever', async () => {
    const sealed = await sealer.seal('session', BOUND, value, 5_000)
    const lasting = await sealer.seal('headers', BOUND, value)
    time.now = 4_999
    expect(await sealer.open('session', BOUND, sealed)).toEqual(value)
    time.now = 5_000
    expect(await sealer.open('session', BOUND, sealed)).toBeUndefined()
    time.now = Number.MAX_SAFE_INTEGER
    expect(await sealer.open('headers', BOUND, lasting)).toEqual(value)
  })

  it('cannot pass for another by what its value says of expiry', async () => {
    time.now = 10_000
    const sealed = await sealer.seal('session', BOUND, { exp: 99_999, v: {} }, 9_000)
    expect(await sealer.open('session', BOUND, sealed)).toBeUndefined()
  })
})

describe('the secret', () => {
  const time = { now: 0 }
  const value = { n: 1 }

  it('rotates: the second still opens, only the first seals', async () => {
    const old = await sealerAt(time, SECRET).seal('session', BOUND, value)
    const rotated = sealerAt(time, OTHER, SECRET)
    expect(await rotated.open('session', BOUND, old)).toEqual(value)
    const fresh = await rotated.seal('session', BOUND, value)
    expect(fresh.slice(0, 8)).not.toBe(old.slice(0, 8))
    expect(await sealerAt(time, OTHER).open('session', BOUND, fresh)).toEqual(value)
    expect(await sealerAt(time, SECRET).open('session', BOUND, fresh)).toBeUndefined()
  })

  it('that is not known opens nothing, also under the key id of one that is', async () => {
    const old = await sealerAt(time, SECRET).seal('session', BOUND, value)
    const other = sealerAt(time, OTHER)
    expect(await other.open('session', BOUND, old)).toBeUndefined()
    const ownId = (await other.seal('session', BOUND, value)).slice(0, 8)
    expect(await other.open('session', BOUND, ownId + old.slice(8))).toBeUndefined()
  })

  it('is needed', async () => {
    const without = createSealer([], { clock: { now: () => 0 }, random: systemRandom })
    await expect(without.seal('session', BOUND, value)).rejects.toThrow('no sealing secret')
    expect(await without.open('session', BOUND, '00000000.AAAA')).toBeUndefined()
  })
})
