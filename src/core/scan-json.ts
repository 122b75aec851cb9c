/** Where a member's value stands in the text: `text.slice(start, end)` is its raw JSON. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** What one pass over a JSON text found, before it is parsed. */
export type JsonScan =
  | { readonly kind: 'scanned'; readonly member: Span | undefined }
  | { readonly kind: 'refused'; readonly reason: string }

/** Far above any honest document, far below what makes a recursive reader fail. */
const MAX_JSON_DEPTH = 64

/**
 * Bounds the depth and refuses duplicate members anywhere: two readers may each take another one,
 * so that what was checked is not what is run. Finds the top-level `member`, so that it can be
 * replaced without touching another byte. Syntax is left to `JSON.parse`.
 */
export function scanJson(text: string, member?: string): JsonScan {
  const keysAt: (Keys | undefined)[] = []
  let depth = 0
  let start: number | undefined
  let found: Span | undefined

  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) {
      const end = stringEnd(text, at)
      if (isKey(text, end)) {
        const key = decodeKey(text, at, end)
        if (!addKey(keysAt, depth, key)) {
          return refused(`the member ${JSON.stringify(key.slice(0, 64))} stands twice`)
        }
        if (depth === 1 && key === member) start = valueStart(text, end)
      }
      at = end - 1
    } else if (char === OPEN_OBJECT || char === OPEN_ARRAY) {
      depth += 1
      if (depth > MAX_JSON_DEPTH) return refused(`it is nested deeper than ${MAX_JSON_DEPTH}`)
      keysAt[depth] = char === OPEN_OBJECT ? [] : undefined
    } else if (char === CLOSE_OBJECT || char === CLOSE_ARRAY || char === COMMA) {
      if (depth === 1 && start !== undefined) {
        found = { start, end: trimmedEnd(text, at) }
        start = undefined
      }
      if (char !== COMMA) depth -= 1
    }
  }
  return { kind: 'scanned', member: found }
}

/** Names of one object's members: to look through a few costs less than to make a set of them. */
type Keys = string[] | Set<string>
const FEW_KEYS = 16

/** False for a name that stands there already. */
function addKey(keysAt: (Keys | undefined)[], depth: number, key: string): boolean {
  const keys = keysAt[depth]
  if (keys === undefined) return true
  if (keys instanceof Set) return keys.size < keys.add(key).size
  if (keys.includes(key)) return false
  if (keys.length < FEW_KEYS) keys.push(key)
  else keysAt[depth] = new Set([...keys, key])
  return true
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

function refused(reason: string): JsonScan {
  return { kind: 'refused', reason }
}

/** Index behind the closing quote of the string that opens at `open`; the text's end where none is. */
export function stringEnd(text: string, open: number): number {
  let close = text.indexOf('"', open + 1)
  while (close !== -1 && isEscaped(text, close)) close = text.indexOf('"', close + 1)
  return close === -1 ? text.length : close + 1
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0
  while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1
  return slashes % 2 === 1
}

function isKey(text: string, from: number): boolean {
  let at = from
  while (isSpace(text.charCodeAt(at))) at += 1
  return text.charCodeAt(at) === COLON
}

function decodeKey(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1)
  if (!raw.includes('\\')) return raw
  try {
    return String(JSON.parse(`"${raw}"`))
  } catch {
    // Not valid JSON: JSON.parse of the whole text will say so.
    return raw
  }
}

function valueStart(text: string, keyEnd: number): number {
  let at = text.indexOf(':', keyEnd) + 1
  while (isSpace(text.charCodeAt(at))) at += 1
  return at
}

function trimmedEnd(text: string, end: number): number {
  let at = end
  while (isSpace(text.charCodeAt(at - 1))) at -= 1
  return at
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09
}
