import { describe, expect, it } from 'vitest'
import {
  atEverySplit,
  BIG,
  bytes,
  event,
  isError,
  OUR_ID,
  relay,
  response,
  sse,
} from './answer-world.ts'

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
