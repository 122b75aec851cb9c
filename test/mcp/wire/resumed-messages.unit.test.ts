import { describe, expect, it } from 'vitest'
import { openMessages } from '../../../src/mcp/wire/read-messages.ts'
import { resumedMessages } from '../../../src/mcp/wire/resumed-messages.ts'

function stream(text: string) {
  const { body } = new Response(text)
  if (!body) throw new Error('a text has a body')
  return openMessages(body, 'text/event-stream', 1_000)
}

async function all(first: string, rests: Record<string, string>) {
  const asked: string[] = []
  const messages = resumedMessages(stream(first), {
    async resume(lastEventId) {
      asked.push(lastEventId)
      const rest = rests[lastEventId]
      return rest === undefined ? undefined : stream(rest)
    },
  })
  const heard: string[] = []
  for (;;) {
    const next = await messages.next(1_000)
    heard.push(next.kind === 'message' ? next.text : next.kind)
    if (next.kind !== 'message') return { asked, heard }
  }
}

describe('a stream that its server ends before the answer', () => {
  it('is taken up behind the last event, as often as the server ends it', async () => {
    const { asked, heard } = await all('id: a\nretry: 1\ndata:\n\n', {
      a: 'retry: 1\nid: b\ndata: 1\n\n',
      b: 'data: 2\n\n',
    })
    expect(asked).toEqual(['a', 'b'])
    expect(heard).toEqual(['1', '2', 'end'])
  })

  it('ends where there is nothing to take it up by, or nothing more is given', async () => {
    expect(await all('data: 1\n\n', {})).toEqual({ asked: [], heard: ['1', 'end'] })
    expect(await all('id: a\nretry: 1\ndata: 1\n\n', {})).toEqual({
      asked: ['a'],
      heard: ['1', 'end'],
    })
  })

  it('is not taken up for who has gone', async () => {
    const messages = resumedMessages(stream('id: a\nretry: 1\ndata:\n\n'), {
      resume: async () => {
        throw new Error('nobody asked for it')
      },
    })
    await messages.cancel()
    expect((await messages.next(1_000)).kind).not.toBe('message')
  })
})
