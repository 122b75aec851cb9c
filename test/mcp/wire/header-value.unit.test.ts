import { describe, expect, it } from 'vitest'
import { decodeHeaderValue, encodeHeaderValue } from '../../../src/mcp/wire/header-value.ts'

describe('a header value', () => {
  it.each([
    ['echo', 'echo'],
    ['with space', 'with space'],
    ['a\tb', 'a\tb'],
    ['~!@#$%^&*()', '~!@#$%^&*()'],
    ['test://a?b=c', 'test://a?b=c'],
    ['=?base64', '=?base64'],
    ['', '=?base64??='],
    [' lead', '=?base64?IGxlYWQ=?='],
    ['trail\t', '=?base64?dHJhaWwJ?='],
    ['line\nbreak', '=?base64?bGluZQpicmVhaw==?='],
    ['\u0000', '=?base64?AA==?='],
    ['\u007f', '=?base64?fw==?='],
    ['Zürich', '=?base64?WsO8cmljaA==?='],
    ['💥', '=?base64?8J+SpQ==?='],
    ['=?base64?IGxlYWQ=?=', '=?base64?PT9iYXNlNjQ/SUd4bFlXUT0/PQ==?='],
  ])('for %j is %s, and stands for it alone', (text, value) => {
    expect(encodeHeaderValue(text)).toBe(value)
    expect(decodeHeaderValue(value)).toBe(text)
    new Headers({ 'mcp-name': value })
  })

  it('never breaks out of its header, whatever the text', () => {
    for (let code = 0; code < 0x300; code += 1) {
      const text = `a${String.fromCodePoint(code)}b`
      const value = encodeHeaderValue(text)
      expect(value).toMatch(/^[\x20-\x7e\t]+$/)
      expect(decodeHeaderValue(value)).toBe(text)
    }
  })

  it.each(['  echo', 'echo\t ', ' \techo'])(
    'is read without the white space around %j',
    (value) => {
      expect(decodeHeaderValue(value)).toBe('echo')
    },
  )

  it.each([
    '=?base64?!!!?=',
    '=?base64?A?=',
    '=?base64?AB==C?=',
    '=?base64?AAA?==?=',
    '=?base64?AB==?=', // Bits left over: another spelling of AA==.
    '=?base64?_-8=?=', // base64url is another alphabet.
    '=?base64?AA=A?=',
    '=?base64? AA==?=',
    '=?base64?/w==?=', // No UTF-8.
    '=?base64?wAE=?=',
    '=?base64?=',
  ])('that is %s stands for nothing', (value) => {
    expect(decodeHeaderValue(value)).toBeUndefined()
  })

  it.each(['=?base64?AA==', 'AA==?=', '=?BASE64?AA==?=', '=?utf-8?b?AA==?='])(
    'that is only like a sentinel (%s) stands for itself',
    (value) => {
      expect(decodeHeaderValue(value)).toBe(value)
    },
  )

  it('keeps a byte order mark', () => {
    expect(decodeHeaderValue(encodeHeaderValue('\ufeffx'))).toBe('\ufeffx')
  })
})
