import { describe, expect, it } from 'vitest'
import { createBacklog, createOutlet, createReply } from '../../../src/mcp/link/outlet.ts'

const MIB = 1024 * 1024

function outlet(backlog = createBacklog()) {
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

  it('gives up on the slowest reader when those of an object together are too slow', () => {
    const backlog = createBacklog()
    const slow = Array.from({ length: 7 }, (_, n) => {
      const one = outlet(backlog)
      one.write('x'.repeat((4 + n) * MIB))
      return one
    })
    const quick = outlet(backlog)
    expect(backlog.bytes).toBeGreaterThan(48 * MIB)
    quick.write('{}')
    expect(slow.map(({ left }) => left())).toEqual([0, 0, 0, 0, 0, 0, 1])
    expect(quick.left()).toBe(0)
    expect(backlog.bytes).toBeLessThan(40 * MIB)
    for (const { fail } of [...slow, quick]) fail()
    expect([backlog.bytes, backlog.waiting.size]).toEqual([0, 0])
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
