import { isPlainObject } from '../../core/index.ts'

/** Members of JSON-RPC, and of the params by which a message is judged. */
const MESSAGE = byFold(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])
const PARAMS = byFold([
  ...['name', 'uri', 'arguments', 'ref', 'cursor', 'taskId', 'task', 'level', '_meta'],
  ...['requestId', 'progressToken', 'requestState', 'inputResponses', 'notifications'],
  ...['protocolVersion', 'capabilities', 'clientInfo'],
])
const REF = byFold(['type', 'name', 'uri'])

/**
 * A member that a careless reader takes for one of the protocol: some upstreams' decoders do not
 * tell case apart, so that `Method` beside `method` is judged here and something else runs there
 * (CVE-2026-27896). Arguments of tools are their own and stay free.
 */
export function ambiguousMember(message: Readonly<Record<string, unknown>>): string | undefined {
  const { params } = message
  const inMessage = firstOf(message, MESSAGE)
  if (inMessage !== undefined || !isPlainObject(params)) return inMessage
  const ref = params['ref']
  return firstOf(params, PARAMS) ?? (isPlainObject(ref) ? firstOf(ref, REF) : undefined)
}

function firstOf(
  object: Readonly<Record<string, unknown>>,
  names: ReadonlyMap<string, string>,
): string | undefined {
  for (const key in object) {
    // What is spelt as the protocol does needs no folding: almost every key.
    const own = names.get(key)
    if (own === key) continue
    if (own !== undefined || (names.get(fold(key)) ?? key) !== key) return key
  }
  return undefined
}

/** Also what folds to a letter of ASCII: long s and the Kelvin sign. */
function fold(key: string): string {
  return key.toUpperCase().toLowerCase()
}

function byFold(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [fold(name), name]))
}
