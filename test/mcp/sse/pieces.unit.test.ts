import { describe, expect, it } from 'vitest'
import { createJoiner, MAX_PIECE_CHARS, piecesOf } from '../../../src/mcp/sse/pieces.ts'

const PLENTY = 100 * MAX_PIECE_CHARS
/** What is left of a text after each piece went through UTF-8 alone. */
const travelled = (piece: string): string =>
  new TextDecoder().decode(new TextEncoder().encode(piece))

describe('a text in pieces', () => {
  it.each([
    ['nothing', ''],
    ['a line', '{"a":1}'],
    ['a full piece', 'x'.repeat(MAX_PIECE_CHARS)],
    ['one more', 'x'.repeat(MAX_PIECE_CHARS + 1)],
    ['line breaks', '\n'.repeat(3 * MAX_PIECE_CHARS)],
    ['characters of two halves', '\u{1F600}'.repeat(MAX_PIECE_CHARS)],
    ['the same, cut otherwise', `x${'\u{1F600}'.repeat(MAX_PIECE_CHARS)}`],
  ])('is the same again (%s)', (_title, text) => {
    const joiner = createJoiner(PLENTY)
    const pieces = piecesOf('key', text)
    expect(pieces.every(({ length }) => length <= MAX_PIECE_CHARS + 10)).toBe(true)
    const joined = pieces.map((piece) => joiner.add(travelled(piece)))
    expect(joined.slice(0, -1).every((one) => one === undefined)).toBe(true)
    expect(joined.at(-1)).toBe(text)
  })

  it('stays apart from others whose pieces come in between', () => {
    const joiner = createJoiner(PLENTY)
    const [one, two] = ['a', 'b'].map((char) => piecesOf(char, char.repeat(2 * MAX_PIECE_CHARS)))
    expect(joiner.add(one?.[0] ?? '')).toBeUndefined()
    expect(joiner.add(two?.[0] ?? '')).toBeUndefined()
    expect(joiner.add(one?.[1] ?? '')).toBe('a'.repeat(2 * MAX_PIECE_CHARS))
    expect(joiner.add(two?.[1] ?? '')).toBe('b'.repeat(2 * MAX_PIECE_CHARS))
  })

  it('is given up when it is too long, or too many others were begun', () => {
    const joiner = createJoiner(MAX_PIECE_CHARS)
    const [first = '', last = ''] = piecesOf('long', 'x'.repeat(2 * MAX_PIECE_CHARS))
    expect(joiner.add(first)).toBeUndefined()
    expect(joiner.add(last)).toBeUndefined()

    const crowded = createJoiner(PLENTY)
    const begun = Array.from({ length: 9 }, (_, n) =>
      piecesOf(`${n}`, `${n}`.repeat(MAX_PIECE_CHARS + 1)),
    )
    for (const [beginning = ''] of begun) expect(crowded.add(beginning)).toBeUndefined()
    expect(crowded.add(begun[8]?.[1] ?? '')).toBe('8'.repeat(MAX_PIECE_CHARS + 1))
    expect(crowded.add(begun[0]?.[1] ?? '')).not.toBe('0'.repeat(MAX_PIECE_CHARS + 1))
  })
})
