import { fromBase64Url, toBase64Url } from './base64url.ts'
import type { Clock, Random } from './context.ts'
import { isPlainObject, sha256Hex } from './digest.ts'

/** What a sealed value is for. One derived key each: one purpose never opens as another. */
export type SealPurpose =
  | 'session'
  | 'cursor'
  | 'request-state'
  | 'headers'
  | 'event'
  | 'sse'
  | 'task'

/** AEAD sealing of values that leave the gateway and come back (DESIGN.md, Decision 5). */
export interface Sealer {
  /**
   * Seals a JSON object. Text of `A-Za-z0-9_.-`: 8 hex of key id, dot, nonce and ciphertext.
   * `boundTo` (tenant, principal key, target) must be given again to open; `expiresAt` is epoch ms,
   * absent for a value at rest.
   */
  seal(
    purpose: SealPurpose,
    boundTo: readonly string[],
    value: object,
    expiresAt?: number,
  ): Promise<string>
  /** The object, or undefined when tampered, foreign, expired or sealed under an unknown key. */
  open(
    purpose: SealPurpose,
    boundTo: readonly string[],
    sealed: string,
  ): Promise<object | undefined>
}

/** At most this many are ever decrypted: what an upstream keeps in a request state may be large. */
export const MAX_SEALED_CHARS = 131_072
const NONCE_BYTES = 12

/**
 * AES-256-GCM under keys derived with HKDF-SHA-256 (RFC 5869) from each secret, one per purpose.
 * Seals with the first secret, opens with any: so a secret rotates by becoming the second.
 */
export function createSealer(
  secrets: readonly string[],
  deps: { readonly clock: Clock; readonly random: Random },
): Sealer {
  // Settled values only: a promise in flight belongs to the request that started it.
  const keys = new Map<string, CryptoKey>()
  let knownKeyIds: readonly string[] | undefined

  async function keyFor(secret: string, purpose: SealPurpose): Promise<CryptoKey> {
    const name = `${purpose}\n${secret}`
    const key = keys.get(name) ?? (await deriveKey(secret, purpose))
    keys.set(name, key)
    return key
  }

  async function keyIds(): Promise<readonly string[]> {
    knownKeyIds ??= await Promise.all(secrets.map(keyIdOf))
    return knownKeyIds
  }

  return {
    async seal(purpose, boundTo, value, expiresAt) {
      const [secret] = secrets
      const [keyId] = await keyIds()
      if (secret === undefined || keyId === undefined) throw new Error('no sealing secret')
      const nonce = deps.random.bytes(NONCE_BYTES)
      const plain = new TextEncoder().encode(JSON.stringify({ v: value, exp: expiresAt }))
      const cipher = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv: nonce, additionalData: additionalData(purpose, boundTo) },
        await keyFor(secret, purpose),
        plain,
      )
      const bytes = new Uint8Array(NONCE_BYTES + cipher.byteLength)
      bytes.set(nonce)
      bytes.set(new Uint8Array(cipher), NONCE_BYTES)
      return `${keyId}.${toBase64Url(bytes)}`
    },

    async open(purpose, boundTo, sealed) {
      if (sealed.length > MAX_SEALED_CHARS) return undefined
      const [keyId, body, ...rest] = sealed.split('.')
      const index = (await keyIds()).indexOf(keyId ?? '')
      const secret = secrets[index]
      const bytes = body === undefined ? undefined : fromBase64Url(body)
      if (secret === undefined || bytes === undefined || rest.length > 0) return undefined
      const envelope = await decrypt(await keyFor(secret, purpose), bytes, purpose, boundTo)
      if (!isPlainObject(envelope) || !isPlainObject(envelope['v'])) return undefined
      const expiresAt = envelope['exp']
      if (typeof expiresAt === 'number' && deps.clock.now() >= expiresAt) return undefined
      return envelope['v']
    },
  }
}

async function keyIdOf(secret: string): Promise<string> {
  return (await sha256Hex(`gatehouse key id\n${secret}`)).slice(0, 8)
}

async function deriveKey(secret: string, purpose: SealPurpose): Promise<CryptoKey> {
  const encoder = new TextEncoder()
  const root = await crypto.subtle.importKey('raw', encoder.encode(secret), 'HKDF', false, [
    'deriveKey',
  ])
  return crypto.subtle.deriveKey(
    {
      name: 'HKDF',
      hash: 'SHA-256',
      salt: encoder.encode('gatehouse/v1'),
      info: encoder.encode(purpose),
    },
    root,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  )
}

function additionalData(purpose: SealPurpose, boundTo: readonly string[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([purpose, ...boundTo]))
}

async function decrypt(
  key: CryptoKey,
  bytes: Uint8Array<ArrayBuffer>,
  purpose: SealPurpose,
  boundTo: readonly string[],
): Promise<unknown> {
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const cipher = bytes.subarray(NONCE_BYTES)
  try {
    const plain = await crypto.subtle.decrypt(
      { name: 'AES-GCM', iv: nonce, additionalData: additionalData(purpose, boundTo) },
      key,
      cipher,
    )
    return JSON.parse(new TextDecoder().decode(plain))
  } catch {
    // A wrong tag is the expected outcome for anything that we did not seal: not an event.
    return undefined
  }
}
