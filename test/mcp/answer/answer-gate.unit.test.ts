import { describe, expect, it } from 'vitest'
import { answer } from '../../../src/mcp/answer/answer.ts'
import type { AnswerPlan } from '../../../src/mcp/answer/answer-rules.ts'
import { replaceMember } from '../../../src/mcp/wire/replace-member.ts'

/** Small enough for every split position, large enough to pass the 256 KiB that are held. */
const BIG = 'x'.repeat(300_000)
const OUR_ID = '"11111111-1111-4111-8111-111111111111"'
const bytes = (text: string) => new TextEncoder().encode(text)

type Ends = string[]

function ctx() {
  return {
    requestId: 'r',
    clock: { now: () => 0 },
    random: {},
    signal: new AbortController().signal,
    facts: {},
    waitUntil: () => undefined,
    holdEvent: () => () => undefined,
  } as never
}

function plan(ends: Ends, more: Partial<AnswerPlan> = {}): AnswerPlan {
  return {
    inbound: { method: 'tools/call', era: 'legacy' },
    clientId: '"mine"',
    upstreamId: OUR_ID,
    server: 's',
    timeoutMs: 500,
    showsTool: 'all',
    showsProgress: () => true,
    onEnd: (end) => ends.push(end),
    ...more,
  }
}

interface Outcome {
  readonly text: string
  readonly ends: Ends
}

/** What the client reads; ` BROKEN` where its connection broke, `THROWN` for one clean error. */
async function relay(
  type: 'application/json' | 'text/event-stream',
  body: Uint8Array | ReadableStream<Uint8Array>,
  more: Partial<AnswerPlan> = {},
): Promise<Outcome> {
  const ends: Ends = []
  let text = ''
  try {
    const init = { headers: { 'content-type': type } }
    const response = await answer(ctx(), plan(ends, more), new Response(body as BodyInit, init))
    const reader = response.body?.getReader()
    const decoder = new TextDecoder()
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) break
      text += decoder.decode(next.value, { stream: true })
    }
    return { text, ends }
  } catch (thrown) {
    const isClean = (thrown as { code?: unknown }).code === 'upstream_failed'
    return { text: isClean ? 'THROWN' : `${text} BROKEN`, ends }
  }
}

const json = (text: string, more?: Partial<AnswerPlan>) =>
  relay('application/json', bytes(text), more)
const sse = (text: string, more?: Partial<AnswerPlan>) =>
  relay('text/event-stream', bytes(text), more)

/** The same text in two chunks, cut at every byte. */
async function atEverySplit(type: 'application/json' | 'text/event-stream', text: string) {
  const whole = bytes(text)
  const seen = new Set<string>()
  for (let at = 0; at <= whole.length; at += 1) {
    const parts = [whole.slice(0, at), whole.slice(at)].filter(({ length }) => length > 0)
    const body = new ReadableStream<Uint8Array>({
      pull(to) {
        const part = parts.shift()
        if (part) to.enqueue(part)
        else to.close()
      },
    })
    seen.add(JSON.stringify(await relay(type, body)))
  }
  return [...seen].map((one) => JSON.parse(one) as Outcome)
}

const response = (result: string, id = OUR_ID) => `{"jsonrpc":"2.0","id":${id},"result":${result}}`
const event = (data: string, fields = '') => `${fields}data: ${data}\n\n`
const isError = (text: string) =>
  text.includes('"id":"mine","error"') && text.includes('upstream_failed')

describe('a JSON answer', () => {
  const GOOD = response('{"n":1.0,"u":"ü💥"}')

  it('is the same wherever its bytes are cut', async () => {
    expect(await atEverySplit('application/json', GOOD)).toEqual([
      { text: GOOD.replace(OUR_ID, '"mine"'), ends: ['complete'] },
    ])
  })

  it.each([
    ['malformed', '{"jsonrpc":'],
    ['an array', `[${GOOD}]`],
    ['two documents', GOOD + GOOD],
    ['with something behind it', `${GOOD}}`],
    ["somebody else's", response('{}', '7')],
    ['empty', ''],
    ['no object', '"text"'],
    ['neither result nor error', `{"jsonrpc":"2.0","id":${OUR_ID}}`],
    ['a request', `{"jsonrpc":"2.0","id":${OUR_ID},"method":"ping"}`],
    // Clients parse strictly and would wait for ever.
    ['a null result', response('null')],
    ['a text as result', response('"x"')],
    ['not of JSON-RPC 2.0', `{"id":${OUR_ID},"result":{}}`],
  ])('that is %s is one clean error, and is counted', async (_what, text) => {
    expect(await json(text)).toEqual({ text: 'THROWN', ends: ['broken'] })
  })

  it.each(['"id":null,', ''])('that is an error with {%s} is ours', async (id) => {
    const { text, ends } = await json(`{"jsonrpc":"2.0",${id}"error":{"code":1,"message":"m"}}`)
    expect(JSON.parse(text)).toMatchObject({ id: 'mine', error: { code: 1 } })
    expect(ends).toEqual(['complete'])
  })

  it('that is large flows', async () => {
    const { text, ends } = await json(response(`"${BIG}"`).replace(/"x+"/, `{"a":"${BIG}"}`))
    expect(JSON.parse(text)).toMatchObject({ id: 'mine', result: { a: BIG } })
    expect(ends).toEqual(['complete'])
  })

  const large = response(`{"a":"${BIG}"}`)
  it.each([
    ['is cut off', large.slice(0, -2)],
    ['closes what it did not open', `${large}}`],
    ['closes an object as an array', `${large.slice(0, -2)}]}`],
    ['has something behind it', `${large},`],
    ['has a second document behind it', `${large}{}`],
    ["is somebody else's", response(`{"a":"${BIG}"}`, '7')],
  ])('that is large and %s breaks off, and is counted', async (_what, text) => {
    const { text: seen, ends } = await json(text)
    expect(seen.slice(-7)).toBe(' BROKEN')
    expect(ends).toEqual(['broken'])
  })

  it('that is large and no object is refused before the client has any of it', async () => {
    const { text, ends } = await json(`[${large}]`)
    expect(text).toBe('THROWN')
    expect(ends).toEqual(['broken'])
  })

  it('nested without end costs no memory for its depth', async () => {
    const deep = `{"jsonrpc":"2.0","id":${OUR_ID},"result":{"a":${'['.repeat(3_000_000)}`
    const before = process.memoryUsage().heapUsed
    let peak = 0
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().heapUsed)
    }, 1)
    const { ends } = await json(deep)
    clearInterval(watch)
    peak = Math.max(peak, process.memoryUsage().heapUsed)
    expect(ends).toEqual(['broken'])
    expect((peak - before) / 1e6).toBeLessThan(64)
  })
})

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

describe('a stream of events', () => {
  const GOOD = response('{"n":1.0}')
  const MINE = GOOD.replace(OUR_ID, '"mine"')

  it('is the same wherever its bytes are cut', async () => {
    const text = `: hi\r\n\r\nevent: message\r\ndata: {"jsonrpc":"2.0","method":"n/x"}\r\n\r\n${event(GOOD)}`
    const outcomes = await atEverySplit('text/event-stream', text)
    expect(outcomes).toHaveLength(1)
    expect(outcomes[0]?.text).toContain(`data: ${MINE}\n\n`)
    expect(outcomes[0]?.ends).toEqual(['complete'])
  })

  it.each([
    ['a second answer', event(GOOD) + event(GOOD)],
    ['a large second answer', event(GOOD) + event(response(`{"a":"${BIG}"}`))],
    ['an unknown answer', event(response('{}', '7')) + event(GOOD)],
    ['malformed JSON', event('{bad') + event(GOOD)],
  ])('drops %s and counts it once', async (_what, text) => {
    expect(await sse(text)).toEqual({ text: event(MINE), ends: ['faulty'] })
  })

  it.each([
    ['no answer', event('{"jsonrpc":"2.0","method":"n/x"}')],
    ['half an answer', `data: ${GOOD}\n`],
    ["somebody else's", event(response('{}', '7'))],
    ["somebody else's, large", event(response(`{"a":"${BIG}"}`, '7'))],
    ['malformed JSON', event('{bad')],
    ['a large one that closes wrongly', event(`${response(`{"a":"${BIG}"}`).slice(0, -2)}]}`)],
    ['half a large one', `data: ${response(`{"a":"${BIG}`)}`],
    ['an event that is no message of MCP', event(GOOD, 'event: other\n')],
  ])('with %s ends with one error that a client can read', async (_what, text) => {
    const { text: seen, ends } = await sse(text)
    const last = seen.split('\n\n').at(-2) ?? ''
    expect(last.startsWith('event: message\ndata: ')).toBe(true)
    expect(isError(last)).toBe(true)
    expect(ends).toEqual(['broken'])
  })

  it('gives the messages of a batch one by one, each byte as it was', async () => {
    const note = '{"jsonrpc":"2.0","method":"n/x","params":{"n":1.0,"b":123456789012345678901}}'
    expect(await sse(event(`[${note} , ${GOOD}]`))).toEqual({
      text: event(note) + event(MINE),
      ends: ['complete'],
    })
  })

  it.each([
    ['larger than a header', 'c'.repeat(100_000)],
    ['no header', 'ü\u2028'],
  ])('has no event id for the client that is %s', async (_what, id) => {
    const sealEventId = async () => 'SEALED'
    const { text } = await sse(event(GOOD, `id: ${id}\n`), { sealEventId, takesPriming: true })
    expect(text).toBe(event(MINE))
  })
})

describe('progress', () => {
  const progress = (token: string, pad = '') =>
    `{"jsonrpc":"2.0","method":"notifications\\/progress","params":{${token}"progress":1,"message":"${pad}"}}`
  const MINE = response('{}').replace(OUR_ID, '"mine"')
  const showsProgress = (token: unknown) => token === 7

  it.each(['', '"progressToken":8,', '"progressToken":"7",', '"progressToken":null,'])(
    'of another call (%s) is not told, and is no fault',
    async (token) => {
      const text = event(progress(token)) + event(`[${progress(token)}]`) + event(response('{}'))
      expect(await sse(text, { showsProgress })).toEqual({ text: event(MINE), ends: ['complete'] })
    },
  )

  it('of the call itself is told, however its token is written', async () => {
    const own = progress('"progressToken":7.0,')
    const { text } = await sse(event(own) + event(response('{}')), { showsProgress })
    expect(text).toBe(event(own) + event(MINE))
  })

  it('too large to be judged is never readable', async () => {
    const { text, ends } = await sse(event(progress('"progressToken":8,', BIG)), { showsProgress })
    const [first = ''] = text.split('\n\n')
    expect(() => JSON.parse(first.slice('data: '.length))).toThrow()
    expect(isError(text)).toBe(true)
    expect(ends).toEqual(['broken'])
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

describe('comments of a server', () => {
  const GOOD = response('{}')
  const MINE = GOOD.replace(OUR_ID, '"mine"')

  it('end at the gateway', async () => {
    const text = `: one\n\n${event(GOOD, ': two\nevent: message\n')}`
    expect((await sse(text)).text).toBe(event(MINE, 'event: message\n'))
  })

  it.each([
    ['comments', `: ${'c'.repeat(1_000)}\n\n`],
    ['comments of any length', `: ${'c'.repeat(300_000)}\n\n`],
    ['events of another type', `event: other\ndata: ${'c'.repeat(1_000)}\n\n`],
    ['fields that nobody knows', `${'c'.repeat(1_000)}: 1\n\n`],
  ])('without end are not read: %s', async (_what, text) => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(to) {
        sent += text.length
        to.enqueue(bytes(text))
      },
    })
    const { text: seen, ends } = await relay('text/event-stream', body)
    expect(isError(seen)).toBe(true)
    expect(seen).toContain('more than 1048576 bytes of comments')
    expect(ends).toEqual(['broken'])
    expect(sent).toBeLessThan(2_000_000)
  })
})

describe('a response without an answer', () => {
  it.each([
    [200, 'broken'],
    [202, 'broken'],
    [401, undefined],
    [403, undefined],
    [404, undefined],
  ])('is counted where it says that all is well (%i)', async (status, end) => {
    const ends: Ends = []
    const page = new Response('<h1>hello</h1>', {
      status,
      headers: { 'content-type': 'text/html' },
    })
    await expect(answer(ctx(), plan(ends), page)).rejects.toMatchObject({ code: 'upstream_failed' })
    expect(ends[0]).toBe(end)
  })
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
  const event = (text: string) => `data: ${text}\n\n`

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
