/**
 * A piece of a text on its way to a stream. A WebSocket message of the platform is bounded (1 MiB as
 * documented for long, 32 MiB as measured), and a body may be larger than either.
 */
export const MAX_PIECE_CHARS = 256 * 1024

/** Texts whose end has not come yet; a sender that died leaves one behind. The oldest out. */
const MAX_UNFINISHED = 4

const MORE = '+'
const LAST = '.'

/** Cuts a text into pieces that belong together by `key` (no line break in it). */
export function piecesOf(key: string, text: string): string[] {
  const pieces: string[] = []
  for (let at = 0; at < text.length || at === 0; ) {
    const end = endOfPiece(text, at)
    pieces.push(`${end < text.length ? MORE : LAST}${key}\n${text.slice(at, end)}`)
    at = end
    if (text === '') break
  }
  return pieces
}

/** Never between the halves of a character: alone, neither survives the way through UTF-8. */
function endOfPiece(text: string, start: number): number {
  const end = Math.min(start + MAX_PIECE_CHARS, text.length)
  const isCut = end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1))
  return isCut ? end - 1 : end
}

/** Puts texts together again, whose pieces come in order, each among those of others. */
export interface Joiner {
  /** The text that this piece completes, if it completes one. */
  add(piece: string): string | undefined
}

/** @see Joiner. A text longer than `maxChars` is given up. */
export function createJoiner(maxChars: number): Joiner {
  const unfinished = new Map<string, { readonly parts: string[]; chars: number }>()
  return {
    add(piece) {
      const lineEnd = piece.indexOf('\n')
      const key = piece.slice(1, lineEnd)
      const part = piece.slice(lineEnd + 1)
      const text = unfinished.get(key) ?? { parts: [], chars: 0 }
      unfinished.delete(key)
      if (text.chars + part.length > maxChars) return undefined
      text.parts.push(part)
      text.chars += part.length
      if (piece.startsWith(LAST)) return text.parts.join('')
      unfinished.set(key, text)
      const [oldest] = unfinished.keys()
      if (unfinished.size > MAX_UNFINISHED && oldest !== undefined) unfinished.delete(oldest)
      return undefined
    },
  }
}
