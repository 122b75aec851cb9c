import { describe, expect, it } from 'vitest'
import { ambiguousMember } from '../../../src/mcp/wire/ambiguous-member.ts'

const PING = { jsonrpc: '2.0', id: 1, method: 'ping' }

// CVE-2026-27896
describe('a member that is one of the protocol to readers who do not tell case apart', () => {
  it.each<[string, object]>([
    ['Method', { ...PING, Method: 'tools/call' }],
    ['PARAMS', { ...PING, params: {}, PARAMS: { name: 'denied' } }],
    ['param\u017f', { ...PING, ['param\u017f']: { name: 'denied' } }],
    ['Result', { ...PING, Result: {} }],
    ['Name', { ...PING, params: { name: 'allowed', Name: 'denied' } }],
    ['ta\u017fkId', { ...PING, params: { ['ta\u017fkId']: 'x' } }],
    ['progressTo\u212aen', { ...PING, params: { ['progressTo\u212aen']: 'x' } }],
    ['argumentS', { ...PING, params: { argumentS: {} } }],
    ['URI', { ...PING, params: { ref: { type: 'ref/resource', uri: 'a', URI: 'b' } } }],
  ])('%s is named', (member, message) => {
    expect(ambiguousMember({ ...message })).toContain(member)
  })

  it.each<[string, object]>([
    ['a message as it should be', { ...PING, params: { name: 'x', _meta: {} } }],
    ['arguments of a tool', { ...PING, params: { arguments: { Name: 1, name: 2, URI: 3 } } }],
    ['members of others', { ...PING, vendor: 1, params: { names: [], methods: [] } }],
    ['a message without params', { ...PING, params: null }],
    ['names of Object', { ...PING, params: { constructor: 1, toString: 2 } }],
  ])('none is in %s', (_what, message) => {
    expect(ambiguousMember({ ...message })).toBeUndefined()
  })
})
