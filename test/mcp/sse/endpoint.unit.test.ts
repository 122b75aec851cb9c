import { describe, expect, it } from 'vitest'
import { endRequest, postRequest, streamRequest } from '../../../src/mcp/sse/endpoint.ts'

describe('what is asked of an endpoint for a stream', () => {
  it.each([
    ['2024-11-05', null],
    ['2025-03-26', null],
    ['2025-06-18', '2025-06-18'],
    ['2025-11-25', '2025-11-25'],
    [undefined, null],
  ])('in a session of %s announces %s', (version, announced) => {
    const greeted = { sessionId: 'sealed', ...(version === undefined ? {} : { version }) }
    for (const request of [
      postRequest(greeted, '{}'),
      streamRequest(greeted),
      endRequest(greeted),
    ]) {
      expect(request.headers.get('mcp-protocol-version')).toBe(announced)
      expect(request.headers.get('mcp-session-id')).toBe('sealed')
    }
  })

  it('names no session where there is none', async () => {
    const request = postRequest({}, '{"a":1}')
    expect(request.headers.has('mcp-session-id')).toBe(false)
    expect(await request.text()).toBe('{"a":1}')
    expect(streamRequest({}, 'event').headers.get('last-event-id')).toBe('event')
  })
})
