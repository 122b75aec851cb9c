import { describe, expect, it } from 'vitest'
import { createSseEditor } from '../../../src/mcp/wire/sse-editor.ts'

function edit(input: string): string {
  const whole = new TextEncoder().encode(input)
  const outcomes = [1, 2, 5, 16, whole.length].map((size) => {
    const editor = createSseEditor({
      members: { id: { replace: (raw) => (raw === '"up"' ? '1' : raw) } },
    })
    const decoder = new TextDecoder()
    let out = ''
    for (let at = 0; at < whole.length; at += size) {
      out += decoder.decode(editor.write(whole.slice(at, at + size)), { stream: true })
    }
    return out + decoder.decode(editor.end())
  })
  expect(new Set(outcomes).size).toBe(1)
  return outcomes[0] ?? ''
}

describe('the event-stream editor', () => {
  it.each([
    ['an event', 'event: message\ndata: {"id":"up"}\n\n', 'event: message\ndata: {"id":1}\n\n'],
    ['another id', 'data: {"id":"other"}\n\n', 'data: {"id":"other"}\n\n'],
    [
      'two events',
      'data: {"id":"up"}\n\ndata: {"id":"up"}\n\n',
      'data: {"id":1}\n\ndata: {"id":1}\n\n',
    ],
    ['no space', 'data:{"id":"up"}\n\n', 'data: {"id":1}\n\n'],
    ['CRLF', 'data: {"id":"up"}\r\n\r\n: ping\r\n\r\n', 'data: {"id":1}\n\n\n'],
    ['CR', 'data: {"id":"up"}\r\r', 'data: {"id":1}\n\n'],
    ['an event without its comments', ': ü\ndata: {"id":"up"}\n:\n\n', 'data: {"id":1}\n\n'],
    ['a priming event', 'id: 5\nretry: 10\ndata: \n\n', 'retry: 10\ndata: \n\n'],
    ['several data lines', 'data: {"id":\ndata: "up"}\n\n', 'data: {"id":\ndata: 1}\n\n'],
    ['an id behind the data', 'data: {"id":"up"}\nid: 9\n\n', 'data: {"id":1}\n\n'],
    ['a field behind the data', 'data: {"id":"up"}\nretry: 9\n\n', 'data: {"id":1}\nretry: 9\n\n'],
    [
      'a field named like data',
      'dataset: 1\ndata: {"id":"up"}\n\n',
      'dataset: 1\ndata: {"id":1}\n\n',
    ],
    ['no last blank line', 'data: {"id":"up"}\n', 'data: {"id":1}\n\n'],
  ])('edits the data of %s', (_what, input, expected) => {
    expect(edit(input)).toBe(expected)
  })

  it('passes the first bytes of an event before its end', () => {
    const editor = createSseEditor({ members: {} })
    const out = new TextDecoder().decode(
      editor.write(new TextEncoder().encode('data: {"method":"x","par')),
    )
    expect(out).toBe('data: {"method":"x","par')
  })
})
