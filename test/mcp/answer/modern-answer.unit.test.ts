import { describe, expect, it } from 'vitest'
import type { AnswerPlan } from '../../../src/mcp/answer/answer-rules.ts'
import { replaceMember } from '../../../src/mcp/wire/edit-members.ts'
import { BIG, event, isError, json, OUR_ID, response, sse } from './answer-world.ts'

describe('the state of a request', () => {
  const sealState = async () => 'SEALED'
  const withState = (state: string, pad = '') =>
    response(`{"pad":"${pad}","requestState":"${state}"}`)

  it.each([10, 5_000, 60_000])('of %i characters reaches the client sealed', async (length) => {
    const state = 's'.repeat(length)
    for (const { text } of [
      await json(withState(state), { sealState }),
      await sse(event(withState(state)), { sealState }),
    ]) {
      expect(text).toContain('"requestState":"SEALED"')
      expect(text).not.toContain('sss')
    }
  })

  it.each([10, 5_000, 200_000])(
    'of %i characters never leaks out of a large answer',
    async (length) => {
      const text = withState('s'.repeat(length), BIG)
      const body = await json(text, { sealState })
      expect(body.text).not.toContain('sss')
      expect(body.ends).toEqual(['broken'])
      const stream = await sse(event(text), { sealState })
      expect(stream.text).not.toContain('sss')
      expect(stream.ends).toEqual(['broken'])
      // What stands before the error must not read as the answer.
      const [first = ''] = stream.text.split('\n\n')
      expect(() => JSON.parse(first.slice('data: '.length))).toThrow()
      expect(isError(stream.text)).toBe(true)
    },
  )

  it('that cannot be sealed is one clean error, and the call ends', async () => {
    const failing = async () => {
      throw new Error('too large')
    }
    const { text, ends } = await sse(event(withState('s')), { sealState: failing })
    expect(isError(text)).toBe(true)
    expect(ends).toEqual(['broken'])
  })

  it('of any length is put back into a request', () => {
    const sealed = 'a'.repeat(90_000)
    const text = `{"params":{"requestState":"${sealed}","n":1.0}}`
    expect(replaceMember(text, ['params', 'requestState'], '"s"')).toBe(
      '{"params":{"requestState":"s","n":1.0}}',
    )
  })
})

describe('a server of the modern era', () => {
  const modern: Partial<AnswerPlan> = {
    inbound: { method: 'tools/call', era: 'modern' },
    sealState: async () => 'SEALED',
  }
  const ask = (pad: string) =>
    `{"jsonrpc":"2.0","method":"elicitation/create","params":{"message":"${pad}"},"id":1}`
  const MINE = response('{}').replace(OUR_ID, '"mine"')

  it('asks its client nothing of its own', async () => {
    const text = event(ask('Who?')) + event(response('{}'))
    expect(await sse(text, modern)).toEqual({ text: event(MINE), ends: ['faulty'] })
    expect((await sse(text)).text).toBe(event(ask('Who?')) + event(MINE))
  })

  it.each([
    ['a request', ask(BIG)],
    [
      'a request that began as an answer',
      `{"jsonrpc":"2.0","params":"${BIG}","id":${OUR_ID},"method":"x"}`,
    ],
  ])('does not get through with %s that is too large to be judged', async (_what, text) => {
    const seen = await sse(event(text), modern)
    const [first = ''] = seen.text.split('\n\n')
    expect(() => JSON.parse(first.slice('data: '.length))).toThrow()
    expect(isError(seen.text)).toBe(true)
    expect(seen.ends).toEqual(['broken'])
  })

  it.each(['7', 'null', '{"a":"theirs"}', '["theirs"]'])(
    'that keeps its state as %s gives no answer',
    async (state) => {
      const text = response(`{"requestState":${state}}`)
      expect(await json(text, modern)).toEqual({ text: 'THROWN', ends: ['broken'] })
      const stream = await sse(event(text), modern)
      expect(stream.text).not.toContain('requestState')
      expect(isError(stream.text)).toBe(true)
      expect(stream.ends).toEqual(['broken'])
      // To the legacy era it is a member like any other.
      expect((await json(text)).text).toContain(state)
    },
  )
})

describe('an answer that gives a task', () => {
  const seal = async (id: string): Promise<string> => {
    if (id === 'too long') throw new Error('too long')
    return `sealed ${id}`
  }
  const more: Partial<AnswerPlan> = {
    inbound: { method: 'tools/call', era: 'modern' },
    task: { kind: 'given', seal },
  }
  const task = (taskId: string, rest = '') =>
    `{"jsonrpc":"2.0","id":${OUR_ID},"result":{"taskId":${taskId},"resultType":"task"${rest}}}`

  it('has its id sealed, in JSON and in events', async () => {
    const given = task('"a \\u00fc"')
      .replace(OUR_ID, '"mine"')
      .replace('"a \\u00fc"', '"sealed a ü"')
    expect((await json(task('"a \\u00fc"'), more)).text).toBe(given)
    expect((await sse(event(task('"a \\u00fc"')), more)).text).toBe(event(given))
  })

  it.each(['7', 'null', '{"a":1}', '"too long"'])('is refused when its id is %s', async (id) => {
    expect((await json(task(id), more)).text).toBe('THROWN')
    const { text, ends } = await sse(event(task(id)), more)
    expect(text).toContain('"error"')
    expect(text).not.toContain(id)
    expect(ends).toEqual(['broken'])
  })

  it('is broken off when it is too large to be judged whole', async () => {
    const large = task('"a"', `,"statusMessage":"${BIG}"`)
    expect((await json(large, more)).text).toContain('BROKEN')
    const { text, ends } = await sse(event(large), more)
    expect(ends).toEqual(['broken'])
    expect(text).toContain('"error"')
  })

  it('is another than one with a member of that name', async () => {
    const own = `{"jsonrpc":"2.0","id":${OUR_ID},"result":{"taskId":"a","resultType":"complete"}}`
    expect((await json(own, more)).text).toBe(own.replace(OUR_ID, '"mine"'))
  })

  it('names it as its client does where it was asked about one', async () => {
    const asked = { ...more, task: { kind: 'asked', shown: 'shop+x' } } as const
    const own = `{"jsonrpc":"2.0","id":${OUR_ID},"result":{"taskId":"a","big":"${BIG}"}}`
    for (const text of [own, own.replace(BIG, '')]) {
      const known = text.replace(OUR_ID, '"mine"').replace('"a"', '"shop+x"')
      expect((await json(text, asked)).text).toBe(known)
    }
  })
})
