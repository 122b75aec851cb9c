import { describe, expect, it } from 'vitest'
import { classify, type InboundRequest, readMessage } from '../../src/mcp/eras.ts'
import { rawIdOf, withMember } from '../../src/mcp/inbound-text.ts'

const inboundOf = (text: string) => classify(readMessage(text), new Headers()) as InboundRequest

describe('a request with another value', () => {
  it.each([
    ['in front', '{"id":"mine","jsonrpc":"2.0","method":"tools/call","params":{"name":"a__b"}}'],
    ['behind', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a__b"} , "id" : "mine"}'],
  ])('still has its id where that stands %s', (_where, text) => {
    for (const name of ['"b"', '"a much longer name than before"']) {
      const changed = withMember(inboundOf(text), ['params', 'name'], name)
      expect(changed.text).toBe(text.replace('"a__b"', name))
      expect(rawIdOf(changed)).toBe('"mine"')
    }
  })

  it('is as it was where there is no such value', () => {
    const inbound = inboundOf(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}',
    )
    expect(withMember(inbound, ['params', 'taskId'], '"x"')).toBe(inbound)
  })
})
