import ipaddr from 'ipaddr.js'
import { toBase64Url } from './base64url.ts'
import type { Outbound } from './outbound.ts'

/** What a resolver says of a name. */
export type Resolution =
  /** Of both families; none for a name that does not exist. */
  | {
      readonly kind: 'addresses'
      readonly addresses: readonly string[]
      readonly ttlSeconds: number
    }
  /** It could not be asked, or could not find out. */
  | { readonly kind: 'failed' }

/** Never rejects. `name` is ASCII, as in a URL. */
export type Resolve = (name: string) => Promise<Resolution>

const TYPES = { A: 1, AAAA: 28 } as const
const CLASS_IN = 1
const HEADER_BYTES = 12
/** Recursion desired (RFC 1035 section 4.1.1). */
const FLAG_RD = 0x01
const FLAG_QR = 0x80
const NXDOMAIN = 3
const MAX_NAME_CHARS = 253
const MAX_LABEL_CHARS = 63
/** As large as a DNS message may be. */
const MAX_MESSAGE_BYTES = 65_535
/** Of a question; whoever needs the answer waits for it. */
const TIMEOUT_MS = 5_000

/**
 * Asks a resolver over HTTPS for the addresses of names, in the wire format, which every one of them
 * speaks (RFC 8484 section 4.1). Both families must be answered: a server may be reached by either.
 */
export function createDohResolver(outbound: Pick<Outbound, 'send'>, url: string): Resolve {
  async function ask(name: string, type: number): Promise<Resolution> {
    const question = questionFor(name, type)
    if (!question) return { kind: 'failed' }
    const asked = new URL(url)
    asked.searchParams.set('dns', toBase64Url(question))
    const result = await outbound.send({
      url: asked.href,
      method: 'GET',
      headers: new Headers({ accept: 'application/dns-message' }),
      timeoutMs: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (result.kind === 'fault') return { kind: 'failed' }
    const { body, ok } = result.response
    const message = ok && body ? await readMessage(body) : undefined
    if (!message) await body?.cancel().catch(() => undefined)
    return (message && readAnswer(message, type)) ?? { kind: 'failed' }
  }

  return async (name) => {
    const both = await Promise.all([ask(name, TYPES.A), ask(name, TYPES.AAAA)])
    const found = both.flatMap((one) => (one.kind === 'addresses' ? [one] : []))
    if (found.length < both.length) return { kind: 'failed' }
    return {
      kind: 'addresses',
      addresses: found.flatMap(({ addresses }) => addresses),
      ttlSeconds: Math.min(...found.map(({ ttlSeconds }) => ttlSeconds)),
    }
  }
}

/** Undefined for what can be no name. The id is 0, so that caches on the way serve (RFC 8484, 4.1). */
function questionFor(name: string, type: number): Uint8Array | undefined {
  const labels = name.split('.')
  const isName = labels.every((label) => label.length > 0 && label.length <= MAX_LABEL_CHARS)
  if (!isName || name.length > MAX_NAME_CHARS) return undefined
  const text = new TextEncoder()
  const question = labels.flatMap((label) => [label.length, ...text.encode(label)])
  const header = [0, 0, FLAG_RD, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  return Uint8Array.from([...header, ...question, 0, 0, type, 0, CLASS_IN])
}

async function readMessage(body: ReadableStream<Uint8Array>): Promise<Uint8Array | undefined> {
  const reader = body.getReader()
  const parts: number[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return Uint8Array.from(parts)
      if (parts.length + value.byteLength > MAX_MESSAGE_BYTES) break
      parts.push(...value)
    }
  } catch {
    // Cut off, or too late: no answer.
  }
  await reader.cancel().catch(() => undefined)
  return undefined
}

/** Undefined for what is no answer, and for failures (RFC 1035 section 4.1). */
function readAnswer(message: Uint8Array, type: number): Resolution | undefined {
  try {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
    const code = view.getUint8(3) & 0x0f
    if ((view.getUint8(2) & FLAG_QR) === 0 || (code !== 0 && code !== NXDOMAIN)) return undefined
    let at = HEADER_BYTES
    for (let left = view.getUint16(4); left > 0; left -= 1) at = nameEnd(view, at) + 4
    const addresses: string[] = []
    let ttlSeconds = Number.POSITIVE_INFINITY
    for (let left = view.getUint16(6); left > 0; left -= 1) {
      at = nameEnd(view, at)
      ttlSeconds = Math.min(ttlSeconds, view.getUint32(at + 4))
      const length = view.getUint16(at + 8)
      const data = message.slice(at + 10, at + 10 + length)
      if (data.byteLength < length) return undefined
      if (view.getUint16(at) === type) addresses.push(ipaddr.fromByteArray([...data]).toString())
      at += 10 + length
    }
    return { kind: 'addresses', addresses, ttlSeconds }
  } catch {
    // Shorter than it says, or an address of no known length.
    return undefined
  }
}

/** Where a name ends: at its last label, or behind a pointer to the rest of it. Throws at the end. */
function nameEnd(view: DataView, start: number): number {
  for (let at = start; ; ) {
    const length = view.getUint8(at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += length + 1
  }
}
