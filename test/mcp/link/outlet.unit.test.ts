import { describe, expect, it } from 'vitest'
import { createOutlet, createReply } from '../../../src/mcp/link/outlet.ts'

const MIB = 1024 * 1024

function outlet(backlog = { bytes: 0 }) {
  let left = 0
  const made = createOutlet(backlog, () => {
    left += 1
  })
  return { ...made, backlog, left: () => left }
}

describe('a stream of messages for one reader', () => {
  it('writes each as an event, in order, and ends', async () => {
    const { readable, write, end, left, backlog } = outlet()
    write('{"a":1}')
    const text = new Response(readable).text()
    write('{\r\n"b":\n2}')
    end()
    write('late')
    expect(await text).toBe(
      'event: message\ndata: {"a":1}\n\nevent: message\ndata: {\ndata: "b":\ndata: 2}\n\n',
    )
    expect([left(), backlog.bytes]).toEqual([0, 0])
  })

  it('ends at once when what was promised cannot come', async () => {
    const { readable, write, fail, left } = outlet()
    write('{}')
    fail()
    expect(await new Response(readable).text()).toBe('')
    expect(left()).toBe(0)
  })

  it('tells once that its reader has gone', async () => {
    const { readable, write, left, backlog } = outlet()
    write('{}')
    await readable.cancel()
    write('{}')
    expect([left(), backlog.bytes]).toEqual([1, 0])
  })

  it('takes one message of any size, and gives up on a reader who takes none', async () => {
    const { readable, write, left, backlog } = outlet()
    write('x'.repeat(32 * MIB))
    expect(left()).toBe(0)
    write('{}')
    expect([left(), backlog.bytes]).toEqual([1, 0])
    expect(await new Response(readable).text()).toBe('')
  })

  it('gives up on a slow reader when those of the object together are too slow', () => {
    const backlog = { bytes: 49 * MIB }
    const { write, left } = outlet(backlog)
    write('{}')
    expect(left()).toBe(1)
    expect(backlog.bytes).toBe(49 * MIB)
  })
})

describe('the answer to one request', () => {
  it('is its last message, or none', async () => {
    const [one, other] = [createReply(), createReply()]
    one.write('first')
    one.write('last')
    one.end()
    other.write('first')
    other.fail()
    expect([await one.text, await other.text]).toEqual(['last', undefined])
  })
})
