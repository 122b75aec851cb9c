import { describe, expect, it } from 'vitest'
import {
  canonicalJson,
  ERROR_WIRE,
  fnv1a,
  fromBase64Url,
  GatewayError,
  isPlainObject,
  principalKey,
  RESERVED_PATHS,
  requestIdFrom,
  ServerPath,
  setBounded,
  sha256Hex,
  TenantId,
  toBase64Url,
  toGatewayError,
} from '../../src/core/index.ts'

describe('base64url', () => {
  it('goes there and back for every length and byte', () => {
    for (let length = 0; length < 70; length += 1) {
      const bytes = Uint8Array.from({ length }, (_value, index) => (index * 37 + length) % 256)
      const text = toBase64Url(bytes)
      expect(text).toMatch(/^[A-Za-z0-9_-]*$/)
      expect(fromBase64Url(text)).toEqual(bytes)
    }
  })

  it.each(['A', 'AAAAA', 'AA=', 'AA==', 'A+', 'A/', 'AB', 'AAB', 'Zh', ' AA', 'AA\n', 'ü'])(
    'is never %j: each value has one spelling',
    (text) => {
      expect(fromBase64Url(text)).toBeUndefined()
    },
  )
})

describe('digests', () => {
  it('are the published ones', async () => {
    expect(await sha256Hex('')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
    expect(fnv1a('')).toBe(0x811c9dc5)
    expect(fnv1a('foobar')).toBe(0xbf9cf968)
  })

  it('do not depend on the order of members, and do on that of elements', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe(
      '{"a":"x","b":[{"c":null,"d":1}]}',
    )
    expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]))
  })

  it('name a principal without its subject', async () => {
    const key = await principalKey('https://idp.example', 'alice@example.com')
    expect(key).toMatch(/^https:\/\/idp\.example#[0-9a-f]{16}$/)
    expect(await principalKey('https://idp.example', 'bob')).not.toBe(key)
    expect(await principalKey('https://other.example', 'alice@example.com')).not.toContain(
      key.slice(-16),
    )
  })
})

describe('names', () => {
  it.each(['a', 'time', '0', 'a-b-c', 'a'.repeat(31)])('a server may be called %s', (path) => {
    expect(ServerPath.safeParse(path).success).toBe(true)
  })

  it.each([
    '',
    '-a',
    'A',
    'a_b',
    'a.b',
    'a/b',
    '..',
    'a b',
    'ä',
    'a'.repeat(32),
    'a\n',
    '%61',
    ...RESERVED_PATHS,
  ])('a server may not be called %j', (path) => {
    expect(ServerPath.safeParse(path).success).toBe(false)
  })

  it.each(['', '-a', 'A', 'a_b', 'a'.repeat(64), 'a\n', 'ä'])(
    'a tenant may not be called %j',
    (tenant) => {
      expect(TenantId.safeParse(tenant).success).toBe(false)
    },
  )
})

describe("a caller's request id", () => {
  it.each(['abcdefgh', 'A-_9'.repeat(16)])('is kept when it is %s', (id) => {
    expect(requestIdFrom(id, () => 'fresh')).toBe(id)
  })

  it.each([
    null,
    '',
    'short',
    'a'.repeat(65),
    'with space',
    'quote"quote',
    'line\nbreak',
    'ümlaute-',
  ])('is replaced when it is %j', (id) => {
    expect(requestIdFrom(id, () => 'fresh')).toBe('fresh')
  })
})

describe('errors', () => {
  it('have codes of their own outside of the range of JSON-RPC', () => {
    const borrowed = new Set([-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022])
    // MCP 2025-11-25, Resources, Error handling; sent to legacy clients alone.
    borrowed.add(ERROR_WIRE.unknown_resource_legacy.rpc)
    for (const { rpc, status, title, fix } of Object.values(ERROR_WIRE)) {
      expect(borrowed.has(rpc) || rpc > -32_000).toBe(true)
      expect(status).toBeGreaterThanOrEqual(200)
      expect(title).not.toBe('')
      expect(fix).toMatch(/\.$|validate$/)
    }
  })

  it('keep what was written for the caller, and hide everything else', () => {
    const own = new GatewayError('not_found', 'There is no such thing.', { fix: 'Look again.' })
    expect(toGatewayError(own)).toBe(own)
    const foreign = toGatewayError(new Error('secret at /etc/passwd'))
    expect(foreign).toMatchObject({
      code: 'internal',
      message: 'Something went wrong inside the gateway.',
      detail: {},
    })
    expect(JSON.stringify(foreign)).not.toContain('secret')
    expect(toGatewayError(undefined).code).toBe('internal')
  })
})

describe('a bounded map', () => {
  it('forgets the oldest past its bound, and counts a rewrite as young', () => {
    const map = new Map<string, number>()
    for (const [key, value] of Object.entries({ a: 1, b: 2 })) setBounded(map, key, value, 2)
    setBounded(map, 'a', 3, 2)
    setBounded(map, 'c', 4, 2)
    expect([...map]).toEqual([
      ['a', 3],
      ['c', 4],
    ])
  })
})

describe('a plain object', () => {
  it('is a JSON object alone', () => {
    expect([{}, { a: 1 }].every(isPlainObject)).toBe(true)
    expect([null, undefined, [], 'x', 1, true].some(isPlainObject)).toBe(false)
  })
})
