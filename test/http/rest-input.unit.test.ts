import { describe, expect, it } from 'vitest'
import { jsonBody, optionalJsonBody, queryOf, refuseQuery } from '../../src/http/index.ts'

const MAX_BYTES = 100

const post = (body: BodyInit | null, type: string | null = 'application/json') => {
  const request = new Request('https://gate.example/x', { method: 'POST', body })
  if (type === null) request.headers.delete('content-type')
  else request.headers.set('content-type', type)
  return request
}
const get = (query: string) => new Request(`https://gate.example/x${query}`)

describe.each([
  ['a JSON body', jsonBody],
  ['an optional JSON body', optionalJsonBody],
])('%s', (_what, read) => {
  it('is what it says', async () => {
    expect(await read(post('{"a":[1,{"a":2}]}'), MAX_BYTES)).toEqual({ a: [1, { a: 2 }] })
    expect(await read(post('[]', 'Application/JSON ; charset=utf-8'), MAX_BYTES)).toEqual([])
  })

  it.each([
    ['{"a":1,"a":2}', 'The body was refused: the member "a" stands twice.'],
    ['[{"b":{"a":1,"\\u0061":1}}]', 'The body was refused: the member "a" stands twice.'],
    ['['.repeat(65), 'The body was refused: it is nested deeper than 64.'],
    ['{', 'The body is not valid JSON.'],
    ['\ufeff{}', 'The body is not valid JSON.'],
    [new Uint8Array([0x22, 0xff, 0x22]), 'The body is not valid UTF-8.'],
  ])('is refused when it is malformed: %s', async (body, message) => {
    await expect(read(post(body), MAX_BYTES)).rejects.toMatchObject({
      code: 'parse_error',
      message,
    })
  })

  it('is refused when it is too large', async () => {
    await expect(read(post(`"${'x'.repeat(MAX_BYTES)}"`), MAX_BYTES)).rejects.toMatchObject({
      code: 'body_too_large',
    })
  })

  it.each(['text/plain', 'application/jsonx', ''])('is refused as %j', async (type) => {
    await expect(read(post('{}', type), MAX_BYTES)).rejects.toMatchObject({
      code: 'unsupported_media_type',
      message: 'The body must be application/json.',
    })
  })

  it('is refused without a media type', async () => {
    await expect(read(post('{}', null), MAX_BYTES)).rejects.toMatchObject({
      code: 'unsupported_media_type',
    })
  })
})

it('no body at all is an empty object where that is allowed, and nowhere else', async () => {
  expect(await optionalJsonBody(post(null, null), MAX_BYTES)).toEqual({})
  expect(await optionalJsonBody(post(''), MAX_BYTES)).toEqual({})
  await expect(jsonBody(post(''), MAX_BYTES)).rejects.toMatchObject({ code: 'parse_error' })
})

describe('a query', () => {
  it('is an object of its parameters', () => {
    expect(queryOf(get('?a=1&b=%C3%BC'))).toEqual({ a: '1', b: 'ü' })
  })

  it('is refused when a parameter is given twice, each named once more', () => {
    expect(() => queryOf(get('?a=1&b=2&a=1'))).toThrow(
      expect.objectContaining({
        code: 'invalid_params',
        message: 'a: must be given once.',
        detail: { data: { problems: [{ path: 'a', message: 'must be given once' }] } },
      }),
    )
  })

  it('is refused where none is taken', () => {
    expect(() => refuseQuery(get(''))).not.toThrow()
    expect(() => refuseQuery(get('?a'))).toThrow(
      expect.objectContaining({ code: 'invalid_params' }),
    )
  })
})
