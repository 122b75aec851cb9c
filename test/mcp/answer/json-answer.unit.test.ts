import { describe, expect, it } from 'vitest'
import { answer } from '../../../src/mcp/answer/answer.ts'
import {
  atEverySplit,
  BIG,
  bytes,
  ctx,
  type Ends,
  json,
  OUR_ID,
  plan,
  response,
  sizedJson,
} from './answer-world.ts'

describe('a JSON answer', () => {
  const GOOD = response('{"n":1.0,"u":"ü💥"}')

  it('is the same wherever its bytes are cut', async () => {
    expect(await atEverySplit('application/json', GOOD)).toEqual([
      { text: GOOD.replace(OUR_ID, '"mine"'), ends: ['complete'] },
    ])
  })

  it('of known length is the same', async () => {
    const ours = { text: GOOD.replace(OUR_ID, '"mine"'), ends: ['complete'] }
    expect(await sizedJson(bytes(GOOD))).toEqual(ours)
    expect(await sizedJson(bytes(`\ufeff${GOOD}`))).toEqual(ours)
  })

  it('of known length that is no UTF-8 is one clean error', async () => {
    const cut = bytes(GOOD).map((byte) => (byte === 0xbc ? 0x22 : byte))
    expect(await sizedJson(cut)).toEqual({ text: 'THROWN', ends: ['broken'] })
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
    [
      'a result and an error',
      `{"jsonrpc":"2.0","id":${OUR_ID},"result":{},"error":{"code":1,"message":"m"}}`,
    ],
    ['an error without a code', `{"jsonrpc":"2.0","id":${OUR_ID},"error":{"message":"m"}}`],
    [
      'an error whose code is a text',
      `{"jsonrpc":"2.0","id":${OUR_ID},"error":{"code":"1","message":"m"}}`,
    ],
    ['an error without a message', `{"jsonrpc":"2.0","id":${OUR_ID},"error":{"code":1}}`],
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
