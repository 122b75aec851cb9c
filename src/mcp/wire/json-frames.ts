import type { JsonRule } from './json-rule.ts'

/** An object or array that is open. */
export interface Frame {
  readonly isObject: boolean
  readonly rule: JsonRule | undefined
  expectsKey: boolean
  kept: number
  /** Whether it has a member; looked at where some are appended. */
  hasMembers: boolean
  /** Of its rule's `append`: what was not there so far. */
  missing: Set<string> | undefined
}

/** A value that is held until it is whole. */
export interface Capture {
  readonly depth: number
  readonly isElement: boolean
  readonly rule: JsonRule
  readonly parts: Uint8Array[]
  size: number
  tooLarge: boolean
}

/** @see Frame */
export function newFrame(isObject: boolean, rule: JsonRule | undefined): Frame {
  const missing = isObject && rule?.append ? new Set(Object.keys(rule.append)) : undefined
  return { isObject, rule, expectsKey: isObject, kept: 0, hasMembers: false, missing }
}

/** What an object that ends still has to get, as JSON with its commas; mostly nothing. */
export function missingMembers({ missing, rule, hasMembers }: Frame): string {
  const append = rule?.append
  if (!missing || !append || missing.size === 0) return ''
  const members = [...missing].map(
    (name) => `${JSON.stringify(name)}:${append[name]?.() ?? 'null'}`,
  )
  return `${hasMembers ? ',' : ''}${members.join()}`
}

/** @see Capture */
export function newCapture(depth: number, isElement: boolean, rule: JsonRule): Capture {
  return { depth, isElement, rule, parts: [], size: 0, tooLarge: false }
}

/** A member name as it was meant. */
export function unescapeKey(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`))
  } catch {
    // Not valid JSON: no rule can mean it.
    return ''
  }
}
