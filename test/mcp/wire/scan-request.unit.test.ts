import { describe, expect, it } from 'vitest'
import { replaceSpan, scanRequest } from '../../../src/mcp/wire/scan-request.ts'

describe('the request scan', () => {
  it.each([
    ['{"id":1,"method":"x"}', '{"id":"N","method":"x"}'],
    [
      '{"method":"x","params":{"id":5},"id" : "a\\"b" }',
      '{"method":"x","params":{"id":5},"id" : "N" }',
    ],
    ['{"params":[{"id":1}],"\\u0069d":null}', '{"params":[{"id":1}],"\\u0069d":"N"}'],
  ])('finds the id of %s so that nothing else changes', (text, expected) => {
    const scan = scanRequest(text)
    if (scan.kind !== 'scanned' || !scan.id) throw new Error('no id found')
    expect(replaceSpan(text, scan.id, '"N"')).toBe(expected)
  })

  it('finds no id where there is none at the top', () => {
    expect(scanRequest('{"method":"x","params":{"id":1}}')).toEqual({ kind: 'scanned' })
  })

  it.each([
    ['{"method":"tools/list","method":"tools/call"}', 'stands twice'],
    ['{"params":{"name":"a","na\\u006de":"b"}}', 'stands twice'],
    [`{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 'nested deeper than 64'],
    ['['.repeat(100_000), 'nested deeper than 64'],
  ])('refuses %s', (text, reason) => {
    expect(scanRequest(text)).toEqual({ kind: 'refused', reason: expect.stringContaining(reason) })
  })

  it('accepts equal names in different objects, and as values', () => {
    expect(scanRequest('{"a":{"n":1},"b":{"n":"n"},"c":["n","n"]}').kind).toBe('scanned')
  })
})
