import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  concat,
  isDelimiter,
  isSpace,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  stringEnd,
} from './bytes.ts'
import {
  type Capture,
  type Frame,
  missingMembers,
  newCapture,
  newFrame,
  unescapeKey,
} from './json-frames.ts'
import type { JsonRule } from './json-rule.ts'

export type { JsonRule } from './json-rule.ts'

/**
 * A streaming editor for one JSON document: it lets every byte through as it comes, except the few
 * values that a rule names. It never holds more than one such value, so a result of any size costs
 * constant memory. What is found to be no JSON is given up: nothing more of it is written.
 */

export interface JsonEditor {
  /** The edited bytes that can be written now. */
  write(chunk: Uint8Array): Uint8Array
  /** Whether what was written so far is one document, closed and with nothing behind it. */
  isWhole(): boolean
  /** What was still held back; afterwards the editor is ready for another document. */
  end(): Uint8Array
}

/** A value that a rule replaces is held up to this size; the state of a request may be large. */
const MAX_SCALAR_BYTES = 131_072
/** An array element that a rule judges is held at most this long. */
const MAX_ELEMENT_BYTES = 1_048_576
/** No rule names a longer member. */
const MAX_KEY_BYTES = 64
/** Deeper than any client reads; a level costs memory here. */
const MAX_DEPTH = 1_000

/** @see JsonEditor */
export function createJsonEditor(root: JsonRule): JsonEditor {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  let frames: Frame[] = []
  let capture: Capture | undefined
  let key = ''
  let keyBytes: number[] | undefined
  let lexeme: 'none' | 'string' | 'key' | 'literal' = 'none'
  let escaped = false
  let out: Uint8Array[] = []
  /** Values that stand in nothing else; a document has one. */
  let roots = 0
  let isGivenUp = false

  const top = (): Frame | undefined => frames[frames.length - 1]

  function childRule(): JsonRule | undefined {
    const frame = top()
    if (!frame) return root
    if (!frame.isObject) return frame.rule?.elements
    const members = frame.rule?.members
    return members && Object.hasOwn(members, key) ? members[key] : undefined
  }

  /** Hands bytes on: to the capture, to nowhere (separators of a judged array), or out. */
  function pass(bytes: Uint8Array): void {
    if (bytes.byteLength === 0 || isGivenUp) return
    if (!capture) {
      if (!isBetweenJudgedElements()) out.push(bytes)
      return
    }
    const limit = capture.isElement ? MAX_ELEMENT_BYTES : MAX_SCALAR_BYTES
    if (capture.size + bytes.byteLength > limit && !capture.tooLarge) {
      capture.tooLarge = true
      if (capture.rule.mustReplace) isGivenUp = true
      if (!capture.isElement && !isGivenUp) for (const part of capture.parts) out.push(part)
      capture.parts.length = 0
    }
    if (!capture.tooLarge) capture.parts.push(bytes)
    else if (!capture.isElement && !isGivenUp) out.push(bytes)
    capture.size += bytes.byteLength
  }

  function isBetweenJudgedElements(): boolean {
    const frame = top()
    return frame !== undefined && !frame.isObject && frame.rule?.keepElement !== undefined
  }

  function beginValue(): JsonRule | undefined {
    const frame = top()
    if (!frame) roots += 1
    const rule = childRule()
    if (capture) return undefined
    if (frame && !frame.isObject && frame.rule?.keepElement) {
      capture = newCapture(frames.length, true, frame.rule)
    } else if (rule?.replace) {
      capture = newCapture(frames.length, false, rule)
    }
    return rule
  }

  function endValue(): void {
    if (!capture || capture.depth !== frames.length) return
    const done = capture
    capture = undefined
    if (done.tooLarge) return
    const raw = decoder.decode(concat(done.parts))
    if (!done.isElement) {
      out.push(encoder.encode(done.rule.replace?.(raw) ?? raw))
      return
    }
    const frame = top()
    if (!frame || !done.rule.keepElement?.(raw)) return
    if (frame.kept > 0) out.push(COMMA_BYTES)
    frame.kept += 1
    // Not by spreading: there may be more parts than a call takes arguments.
    for (const part of done.parts) out.push(part)
  }

  function write(chunk: Uint8Array): Uint8Array {
    let from = 0
    let at = 0
    const flushTo = (end: number): void => {
      pass(chunk.subarray(from, end))
      from = end
    }
    while (at < chunk.length && !isGivenUp) {
      if (lexeme === 'string' || lexeme === 'key') {
        const end = stringEnd(chunk, at, escaped)
        escaped = end.escaped
        if (lexeme === 'key' && keyBytes)
          collectKey(chunk.subarray(at, end.closed ? end.next - 1 : end.next))
        at = end.next
        if (!end.closed) break
        const wasKey = lexeme === 'key'
        lexeme = 'none'
        if (wasKey) finishKey()
        else {
          flushTo(at)
          endValue()
        }
        continue
      }
      const byte = chunk[at] ?? 0
      if (lexeme === 'literal') {
        if (!isDelimiter(byte)) {
          at += 1
          continue
        }
        flushTo(at)
        lexeme = 'none'
        endValue()
      }
      at = step(byte, at, flushTo)
    }
    flushTo(chunk.length)
    return take()
  }

  /** One structural byte outside of strings and literals; the index to go on from. */
  function step(byte: number, at: number, flushTo: (end: number) => void): number {
    const frame = top()
    switch (byte) {
      case OPEN_OBJECT:
      case OPEN_ARRAY: {
        flushTo(at)
        const rule = beginValue()
        flushTo(at + 1)
        const isObject = byte === OPEN_OBJECT
        frames.push(newFrame(isObject, rule))
        if (frames.length > MAX_DEPTH) isGivenUp = true
        return at + 1
      }
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        flushTo(at)
        appendTo(frame)
        if (frames.pop()?.isObject !== (byte === CLOSE_OBJECT)) isGivenUp = true
        flushTo(at + 1)
        endValue()
        return at + 1
      case COMMA:
        if (!frame) isGivenUp = true
        if (frame?.isObject) frame.expectsKey = true
        flushTo(at + 1)
        return at + 1
      case COLON:
        if (frame?.isObject) frame.expectsKey = false
        return at + 1
      case QUOTE:
        escaped = false
        if (frame?.isObject && frame.expectsKey) {
          lexeme = 'key'
          keyBytes = (frame.rule?.members || frame.missing) && !capture ? [] : undefined
          key = ''
          frame.hasMembers = true
        } else {
          flushTo(at)
          beginValue()
          lexeme = 'string'
        }
        return at + 1
      default:
        if (!isSpace(byte)) {
          flushTo(at)
          beginValue()
          lexeme = 'literal'
        }
        return at + 1
    }
  }

  function collectKey(bytes: Uint8Array): void {
    if (!keyBytes) return
    if (keyBytes.length + bytes.length > MAX_KEY_BYTES) keyBytes = undefined
    else keyBytes.push(...bytes)
  }

  function finishKey(): void {
    if (!keyBytes) return
    const raw = decoder.decode(new Uint8Array(keyBytes))
    keyBytes = undefined
    key = raw.includes('\\') ? unescapeKey(raw) : raw
    top()?.missing?.delete(key)
  }

  function appendTo(frame: Frame | undefined): void {
    if (!frame || capture || isGivenUp) return
    const members = missingMembers(frame)
    if (members !== '') out.push(encoder.encode(members))
  }

  function take(): Uint8Array {
    const taken = concat(out)
    out = []
    return taken
  }

  return {
    write,
    isWhole: () => !isGivenUp && roots === 1 && frames.length === 0 && lexeme !== 'string',
    end() {
      if (lexeme === 'literal') endValue()
      if (capture && !capture.isElement && !isGivenUp) {
        for (const part of capture.parts) out.push(part)
      }
      const rest = take()
      frames = []
      capture = undefined
      lexeme = 'none'
      roots = 0
      isGivenUp = false
      return rest
    },
  }
}

const COMMA_BYTES = new Uint8Array([COMMA])
