import { isPlainObject } from '../../core/index.ts'
import { concat } from './bytes.ts'
import type { Source } from './pump.ts'

/** A larger error is none that a client could use. */
const MAX_ERROR_BYTES = 65_536

/**
 * Reads a body to its end when it is a JSON-RPC error. Undefined for anything else: behind a status
 * of failure that is a page of the upstream or of a proxy before it, and no client's business.
 */
export async function readRpcError(source: Source): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const chunk = await source.read()
    if (chunk.kind === 'broken') return undefined
    if (chunk.kind === 'complete') break
    parts.push(chunk.bytes)
    size += chunk.bytes.byteLength
    if (size > MAX_ERROR_BYTES) return undefined
  }
  const whole = concat(parts)
  return isRpcError(whole) ? whole : undefined
}

function isRpcError(bytes: Uint8Array): boolean {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return isPlainObject(body) && body['jsonrpc'] === '2.0' && isPlainObject(body['error'])
  } catch {
    // Not JSON: the caller reports the status instead.
    return false
  }
}
