import { describe, expect, it } from 'vitest'
import { createEventQueue } from '../../../src/mcp/bridge/event-queue.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const read = (stream: ReadableStream<Uint8Array>) => new Response(stream).text()

describe('a queue of events', () => {
  it('gives each reader what came up to the next end, also what came before it', async () => {
    const queue = createEventQueue(() => undefined)
    const first = queue.open()
    await queue.write(bytes('a'), false)
    queue.end(bytes('b'))
    await queue.write(bytes('c'), true)
    queue.end(bytes('d'))
    expect(await read(first)).toBe('ab')
    expect(await read(queue.open())).toBe('cd')
  })

  it('ends without another word where there is none', async () => {
    const queue = createEventQueue(() => undefined)
    queue.end()
    expect(await read(queue.open())).toBe('')
  })

  it('drops the oldest where nobody may be reading, and never an end', async () => {
    const queue = createEventQueue(() => undefined)
    const half = 'x'.repeat(600 * 1024)
    await queue.write(bytes(half), true)
    await queue.write(bytes(`${half}y`), true)
    queue.end(bytes('z'))
    expect(await read(queue.open())).toBe(`${half}yz`)
  })

  it('says that its reader went away', async () => {
    let left = 0
    const queue = createEventQueue(() => {
      left += 1
    })
    await queue.open().cancel()
    expect(left).toBe(1)
  })

  it('waits for a reader that is slow', async () => {
    const queue = createEventQueue(() => undefined)
    const stream = queue.open()
    let isWritten = false
    const writing = (async () => {
      for (let count = 0; count < 4; count += 1)
        await queue.write(new Uint8Array(512 * 1024), false)
      isWritten = true
      queue.end()
    })()
    await Promise.resolve()
    expect(isWritten).toBe(false)
    expect((await read(stream)).length).toBe(4 * 512 * 1024)
    await writing
  })
})
