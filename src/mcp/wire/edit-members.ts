import { type Span, stringEnd } from '../../core/index.ts'
import { replaceSpan } from './scan-request.ts'

/**
 * What becomes of one member of an object: raw JSON in, undefined where it is not there; raw JSON out,
 * undefined to leave it out.
 */
export type MemberEdit = (raw: string | undefined) => string | undefined

export type MemberEdits = Readonly<Record<string, MemberEdit>>

/** This value, whatever stands there. */
export const set =
  (value: unknown): MemberEdit =>
  () =>
    JSON.stringify(value)

/** This value where none stands. */
export const fill =
  (value: unknown): MemberEdit =>
  (raw) =>
    raw ?? JSON.stringify(value)

export const remove: MemberEdit = () => undefined

/** Edits of the object that stands there; where there is none, an empty one is edited and added. */
export const within =
  (edits: MemberEdits): MemberEdit =>
  (raw) => {
    const object = editObject(raw?.startsWith('{') === true ? raw : '{}', edits)
    // Nothing is made up where nothing was to be said.
    return object === '{}' && raw === undefined ? undefined : object
  }

/** Edits of every element of the array that stands there. */
export const each =
  (edit: (raw: string) => string): MemberEdit =>
  (raw) => {
    if (raw === undefined || !raw.startsWith('[')) return raw
    return `[${elements(raw).map(edit).join(',')}]`
  }

/** The elements of a JSON array that parses, each as it stands; what is none is its own only one. */
export function elements(text: string): string[] {
  const open = skipSpace(text, 0)
  if (text[open] !== '[') return [text]
  const found: string[] = []
  let at = skipSpace(text, open + 1)
  while (at < text.length && text[at] !== ']') {
    const end = valueEnd(text, at)
    found.push(text.slice(at, end))
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return found
}

/**
 * Edits members of a JSON object, given as text; every other byte stays, so that numbers keep their
 * digits and members their order. `text` is one object that parses, without duplicate members;
 * anything else comes back as it is.
 */
export function editObject(text: string, edits: MemberEdits): string {
  const object = readObject(text)
  if (!object) return text
  const kept: string[] = []
  const missing = new Map(Object.entries(edits))
  for (const { name, start, valueStart, end } of object.members) {
    const edit = missing.get(name)
    missing.delete(name)
    const raw = text.slice(valueStart, end)
    const value = edit ? edit(raw) : raw
    if (value !== undefined) kept.push(text.slice(start, valueStart) + value)
  }
  for (const [name, edit] of missing) {
    const value = edit(undefined)
    if (value !== undefined) kept.push(`${JSON.stringify(name)}:${value}`)
  }
  return `${text.slice(0, object.open + 1)}${kept.join(',')}${text.slice(object.close)}`
}

interface Member {
  readonly name: string
  /** Of its name, without space before it. */
  readonly start: number
  readonly valueStart: number
  /** Behind its value. */
  readonly end: number
}

interface ReadObject {
  readonly open: number
  readonly close: number
  readonly members: readonly Member[]
}

function readObject(text: string): ReadObject | undefined {
  const open = skipSpace(text, 0)
  if (text[open] !== '{') return undefined
  const members: Member[] = []
  let at = skipSpace(text, open + 1)
  while (text[at] === '"') {
    const start = at
    const nameEnd = stringEnd(text, at)
    const valueStart = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = valueEnd(text, valueStart)
    members.push({ name: JSON.parse(text.slice(start, nameEnd)), start, valueStart, end })
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return text[at] === '}' ? { open, close: at, members } : undefined
}

/**
 * Replaces one value of a JSON object that parses, without duplicate members, by the members that
 * lead to it; every other byte stays. A text without it comes back as it is.
 */
export function replaceMember(text: string, at: readonly string[], value: string): string {
  const span = memberSpan(text, at)
  return span ? replaceSpan(text, span, value) : text
}

/** Where the value stands that these members lead to; undefined when it is not there. */
export function memberSpan(text: string, at: readonly string[]): Span | undefined {
  let span: Span = { start: 0, end: text.length }
  for (const name of at) {
    const object = readObject(text.slice(span.start, span.end))
    const member = object?.members.find((one) => one.name === name)
    if (!member) return undefined
    span = { start: span.start + member.valueStart, end: span.start + member.end }
  }
  return span
}

/** Raw JSON of one member; undefined when it is not there. */
export function rawMember(text: string, name: string): string | undefined {
  const member = readObject(text)?.members.find((one) => one.name === name)
  return member && text.slice(member.valueStart, member.end)
}

/** Names and raw values of an object's members; none of what is no object. */
export function members(text: string): [name: string, raw: string][] {
  const found = readObject(text)?.members ?? []
  return found.map(({ name, valueStart, end }) => [name, text.slice(valueStart, end)])
}

function valueEnd(text: string, start: number): number {
  const first = text[start]
  if (first === '"') return stringEnd(text, start)
  if (first !== '{' && first !== '[') {
    let at = start
    while (at < text.length && !/[\s,}\]]/.test(text[at] ?? '')) at += 1
    return at
  }
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    const char = text[at]
    if (char === '"') at = stringEnd(text, at) - 1
    else if (char === '{' || char === '[') depth += 1
    else if (char === '}' || char === ']') {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return text.length
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1
  return at
}
