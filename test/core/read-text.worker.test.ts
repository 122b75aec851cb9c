import { describe, expect, it } from 'vitest'
import { readBounded, textAsSent } from '../../src/core/index.ts'

const stream = (...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk)
      }
      controller.close()
    },
  })

describe('a bounded body', () => {
  it('is read whole, characters split over chunks too', async () => {
    const bytes = new TextEncoder().encode('ü💥')
    const split = Array.from(bytes, (byte) => new Uint8Array([byte]))
    expect(await readBounded(stream('a', ...split, 'b'), 100)).toBe('aü💥b')
    expect(await readBounded(null, 100)).toBe('')
    expect(await readBounded(stream(), 100)).toBe('')
  })

  it('may have exactly as many bytes as allowed, and not one more', async () => {
    expect(await readBounded(stream('abc', 'de'), 5)).toBe('abcde')
    await expect(readBounded(stream('abc', 'def'), 5)).rejects.toMatchObject({
      code: 'body_too_large',
      message: 'The body is larger than 5 bytes.',
    })
  })

  it('is not read on once it is too large', async () => {
    let pulled = 0
    let isCancelled = false
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(1_000))
      },
      cancel() {
        isCancelled = true
      },
    })
    await expect(readBounded(endless, 10_000)).rejects.toMatchObject({ code: 'body_too_large' })
    expect(pulled).toBeLessThan(15)
    expect(isCancelled).toBe(true)
  })

  it.each([
    ['a wrong byte', [new Uint8Array([0x22, 0xff, 0x22])]],
    ['a character cut off', [new Uint8Array([0xc3])]],
    ['an overlong form', [new Uint8Array([0xc0, 0xaf])]],
    ['a surrogate', [new Uint8Array([0xed, 0xa0, 0x80])]],
  ])('is UTF-8, never %s', async (_what, chunks) => {
    await expect(readBounded(stream(...chunks), 100)).rejects.toMatchObject({
      code: 'parse_error',
      message: 'The body is not valid UTF-8.',
    })
    const [bytes = new Uint8Array()] = chunks
    await expect(readSized(bytes)).rejects.toMatchObject({
      code: 'parse_error',
      message: 'The body is not valid UTF-8.',
    })
  })

  it('keeps a byte order mark, which JSON then refuses', async () => {
    const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])
    expect(await readBounded(stream(bytes), 100)).toBe('\ufeff{}')
    expect(await readSized(bytes)).toBe('\ufeff{}')
  })

  it.each(['', 'plain', 'ü💥', 'a \uFFFD of its own'])(
    'of known size is its text: %j',
    async (text) => {
      const bytes = new TextEncoder().encode(text)
      expect(await readSized(bytes)).toBe(text)
    },
  )

  it('of known size may lose what was to be a character of four bytes, and says so', async () => {
    const bytes = new Uint8Array([0x22, 0xf0, 0x9f, 0x98, 0x22])
    expect(await readSized(bytes)).toBe('"\uFFFD"')
    await expect(readBounded(stream(bytes), 100)).rejects.toMatchObject({ code: 'parse_error' })
  })

  it('of known size may lose a mark to errors that are as long, and says so', async () => {
    const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x22, 0xff, 0xe2, 0x82, 0x22])
    expect(await readSized(bytes)).toBe('"\uFFFD\uFFFD"')
  })
})

/** A body of known size, in one go. */
async function readSized(bytes: Uint8Array): Promise<string> {
  return textAsSent(await new Response(new Uint8Array(bytes)).text(), bytes.byteLength)
}
