import { COLON, CR, concat, LF } from './bytes.ts'

/** A piece of a text/event-stream. An event is given whole unless it is too large to be held. */
export type EventPiece =
  | { readonly kind: 'event'; readonly bytes: Uint8Array }
  /** The beginning of a large event; `more` and `end` follow. */
  | { readonly kind: 'start'; readonly bytes: Uint8Array }
  | { readonly kind: 'more'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }

export interface EventSplitter {
  split(chunk: Uint8Array): EventPiece[]
  /** The number of the event whose end is still to come; undefined when only comments have come. */
  begun(): number | undefined
}

/**
 * Splits a stream of events at its blank lines, whatever the line ends. Holds at most `maxBytes` of
 * an event. Source: WHATWG HTML, Server-sent events, Parsing an event stream.
 */
export function createEventSplitter(maxBytes: number): EventSplitter {
  let parts: Uint8Array[] = []
  let size = 0
  let isLarge = false
  let isLineEmpty = true
  /** The last byte was a CR: a LF that follows belongs to it. */
  let skipLineFeed = false
  /** Events that ended, and whether more than comments has come of the next. */
  let ended = 0
  let hasContent = false

  function take(pieces: EventPiece[], bytes: Uint8Array, isEnd: boolean): void {
    if (isLarge) {
      pieces.push({ kind: 'more', bytes })
    } else {
      parts.push(bytes)
      size += bytes.byteLength
      if (isEnd && size <= maxBytes) pieces.push({ kind: 'event', bytes: concat(parts) })
      else if (size > maxBytes) pieces.push({ kind: 'start', bytes: concat(parts) })
    }
    if (isEnd) {
      ended += 1
      hasContent = false
    }
    const wasLarge = isLarge || size > maxBytes
    if (isEnd && wasLarge) pieces.push({ kind: 'end' })
    isLarge = wasLarge && !isEnd
    if (!isEnd && !wasLarge) return
    parts = []
    size = 0
  }

  return {
    begun: () => (hasContent ? ended : undefined),
    split(chunk) {
      const pieces: EventPiece[] = []
      let from = 0
      let nextReturn = chunk.indexOf(CR)
      for (let at = 0; at < chunk.length; ) {
        const byte = chunk[at]
        if (byte !== LF && byte !== CR) {
          if (isLineEmpty && byte !== COLON) hasContent = true
          isLineEmpty = false
          skipLineFeed = false
          if (nextReturn !== -1 && nextReturn < at) nextReturn = chunk.indexOf(CR, at)
          at = firstOf(chunk.indexOf(LF, at), nextReturn, chunk.length)
          continue
        }
        at += 1
        const belongsToReturn = byte === LF && skipLineFeed
        skipLineFeed = byte === CR
        if (belongsToReturn) continue
        if (isLineEmpty) {
          take(pieces, chunk.subarray(from, at), true)
          from = at
        }
        isLineEmpty = true
      }
      if (from < chunk.length) take(pieces, chunk.subarray(from), false)
      return pieces
    },
  }
}

/** The smaller index; -1 is none. */
function firstOf(one: number, other: number, otherwise: number): number {
  const found = [one, other].filter((index) => index !== -1)
  return found.length > 0 ? Math.min(...found) : otherwise
}
