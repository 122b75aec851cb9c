import { describe, expect, it } from 'vitest'
import { classify, type InboundRequest, readMessage } from '../../src/mcp/eras.ts'
import { declaresExtension, keepExtensions, TASKS, UI } from '../../src/mcp/extensions.ts'

const HEADERS = new Headers({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'x/y' })
const VERSION = '"io.modelcontextprotocol/protocolVersion":"2026-07-28"'

function request(capabilities: string): InboundRequest {
  const meta = `{${VERSION},"io.modelcontextprotocol/clientCapabilities":${capabilities}}`
  const text = `{"jsonrpc":"2.0","params":{"_meta":${meta},"n":1.0},"method":"x/y","id": 7}`
  return classify(readMessage(text), HEADERS) as InboundRequest
}
const both = `{"extensions":{"${TASKS}":{}, "${UI}":{"n":1.0}},"roots":{}}`

describe('the extensions that a request declares', () => {
  it('are found by their name', () => {
    expect(declaresExtension(request(both).params, TASKS)).toBe(true)
    for (const none of ['{}', '{"extensions":{}}', `{"extensions":{"${UI}":{}}}`]) {
      expect(declaresExtension(request(none).params, TASKS)).toBe(false)
    }
    expect(declaresExtension({}, TASKS)).toBe(false)
  })

  it.each(['{}', '{"extensions":{}}', both])(
    'leave a request as it is where none has to go: %s',
    (capabilities) => {
      const inbound = request(capabilities)
      expect(keepExtensions(inbound, () => true)).toBe(inbound)
    },
  )

  it('go by their name, and every other byte stays', () => {
    const inbound = request(both)
    const kept = keepExtensions(inbound, (name) => name === UI)
    expect(kept.text).toBe(inbound.text.replace(`"${TASKS}":{}, `, ''))
    expect(kept.text.slice(kept.id.start, kept.id.end)).toBe('7')
    expect(declaresExtension(kept.params, TASKS)).toBe(false)
    expect(declaresExtension(kept.params, UI)).toBe(true)
    expect(JSON.parse(kept.text).params).toEqual(kept.params)
  })
})
