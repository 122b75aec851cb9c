import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { modern } from '../support/gateway.ts'
import { base64 } from '../support/modern-relay.ts'
import { type RefusingRelay, refusingRelay } from '../support/refusing-relay.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

describe('the modern relay refuses, before anything is sent,', () => {
  const room = scriptedRoom('refusals-headers')
  let relay: RefusingRelay

  beforeAll(async () => {
    relay = await refusingRelay(room)
  })

  beforeEach(async () => {
    await room.log()
  })

  const region = (value: unknown, headers: Record<string, string>) =>
    modern(
      relay.token,
      'tools/call',
      { name: 'region', arguments: { region: value } },
      headers,
      'mine',
    )
  const count = (value: unknown, headers: Record<string, string>) =>
    modern(
      relay.token,
      'tools/call',
      { name: 'region', arguments: { deep: { count: value } } },
      headers,
      'mine',
    )
  const without = (name: string): RequestInit => {
    const init = relay.called()
    const headers = new Headers(init.headers)
    headers.delete(name)
    return { ...init, headers }
  }

  // req: header-mismatch-400
  it.each<[string, () => RequestInit, string]>([
    [
      'no MCP-Protocol-Version',
      () => without('mcp-protocol-version'),
      'The MCP-Protocol-Version header is missing.',
    ],
    ['no Mcp-Method', () => without('mcp-method'), 'The Mcp-Method header is missing.'],
    [
      'no Mcp-Name',
      () => without('mcp-name'),
      'The Mcp-Name header is missing; tools/call needs it.',
    ],
    [
      'an empty Mcp-Name',
      () => relay.called({ 'mcp-name': '' }),
      'The Mcp-Name header does not match params.name.',
    ],
    [
      'a Mcp-Name in another case',
      () => relay.called({ 'mcp-name': 'Echo' }),
      'The Mcp-Name header does not match params.name.',
    ],
    [
      'a Mcp-Name whose base64 says something else',
      () => relay.called({ 'mcp-name': base64('exotic') }),
      'The Mcp-Name header does not match params.name.',
    ],
    [
      'a Mcp-Name that is no base64',
      () => relay.called({ 'mcp-name': '=?base64?%%?=' }),
      'The Mcp-Name header does not match params.name.',
    ],
    ['no Mcp-Param', () => region('eu', {}), 'Mcp-Param-Region is missing.'],
    [
      'another Mcp-Param',
      () => region('eu', { 'mcp-param-region': 'us' }),
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'an Mcp-Param in another case',
      () => region('eu', { 'mcp-param-region': 'EU' }),
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'an Mcp-Param without its argument',
      () => region(null, { 'mcp-param-region': 'eu' }),
      'Mcp-Param-Region is set, but its argument is not.',
    ],
    [
      'an Mcp-Param that is no base64',
      () => region('eu', { 'mcp-param-region': '=?base64?e?=' }),
      'Mcp-Param-Region does not match its argument.',
    ],
    [
      'another integer in a nested Mcp-Param',
      () => count(5, { 'mcp-param-count': '6' }),
      'Mcp-Param-Count does not match its argument.',
    ],
  ])('a request with %s: 400, -32020', async (_what, init, message) => {
    const data = { code: 'header_mismatch' }
    await relay.expectRefusal(
      await relay.send(init()),
      400,
      { code: -32020, message, data },
      'mine',
    )
  })

  // req: header-mismatch-400
  it.each([
    [
      { 'mcp-protocol-version': '2025-11-25' },
      '2025-11-25',
      'the body envelope names protocol version 2026-07-28 but the MCP-Protocol-Version header names 2025-11-25',
    ],
    [
      { 'mcp-method': 'tools/list' },
      'tools/list',
      'the body names method tools/call but the Mcp-Method header names tools/list',
    ],
  ])('a request whose headers say %j: 400, -32020', async (headers, header, body) => {
    const message = `Bad Request: the request headers and body disagree: ${body}`
    const data = { code: 'header_mismatch', mismatch: { header, body } }
    await relay.expectRefusal(
      await relay.send(relay.called(headers)),
      400,
      { code: -32020, message, data },
      'mine',
    )
  })

  it('a cheap tool in the header with a dear one in the body, whatever the policy says', async () => {
    const caller = await relay.gateway.token({ subject: 'ann', groups: ['callers'] })
    const dear = { name: 'exotic', arguments: {} }
    const mixed = await relay.send(
      modern(caller, 'tools/call', dear, { 'mcp-name': 'echo' }, 'mine'),
    )
    expect(mixed.status).toBe(400)
    expect(await mixed.json()).toMatchObject({ id: 'mine', error: { code: -32020 } })
    const honest = await relay.send(modern(caller, 'tools/call', dear, {}, 'mine'))
    const unknown = await relay.send(
      modern(caller, 'tools/call', { ...dear, name: 'nonesuch' }, {}, 'mine'),
    )
    const texts = [await honest.json(), await unknown.json()].map((body) =>
      JSON.stringify(body).replace(/"requestId":"[^"]*"/, ''),
    )
    expect(honest.status).toBe(unknown.status)
    expect(texts[0]).toBe(texts[1]?.replace('nonesuch', 'exotic'))
    expect(texts[0]).toContain('"code":-32602,"message":"Unknown tool: exotic"')
    expect((await room.log()).log).toEqual([])
    expect(relay.gateway.events.findLast(({ type }) => type === 'request')).toMatchObject({
      tool: 'nonesuch',
      outcome: 'unknown_tool',
    })
  })
})
