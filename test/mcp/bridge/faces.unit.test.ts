import { describe, expect, it } from 'vitest'
import { discoverResult, initializeResult } from '../../../src/mcp/bridge/faces.ts'
import { GATEWAY_INFO } from '../../../src/mcp/messages.ts'

const facts = { eras: 'modern', protocolVersions: ['2026-07-28'], sessionful: false } as const
const INFO = { name: 'shop', version: '2', title: 'Shop' }

describe('the greeting of an era that a server does not speak', () => {
  it('says who the server is, as it said itself', () => {
    const known = { ...facts, serverInfo: INFO }
    expect(initializeResult(known, '2025-11-25')).toMatchObject({ serverInfo: INFO })
    expect(discoverResult(known)).toMatchObject({
      _meta: { 'io.modelcontextprotocol/serverInfo': INFO },
    })
  })

  it.each([
    ['nothing', undefined],
    ['an empty object', {}],
    ['a name alone', { name: 'shop' }],
  ])('names the gateway where the server said %s', (_what, serverInfo) => {
    const known = serverInfo === undefined ? facts : { ...facts, serverInfo }
    expect(initializeResult(known, '2025-11-25')).toMatchObject({ serverInfo: GATEWAY_INFO })
    expect(discoverResult(known)).toMatchObject({
      _meta: { 'io.modelcontextprotocol/serverInfo': GATEWAY_INFO },
    })
  })
})
