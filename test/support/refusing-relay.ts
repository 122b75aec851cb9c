import { expect } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from './gateway.ts'
import { ECHO } from './modern-relay.ts'
import type { ScriptedRoom } from './scripted-room.ts'

const POLICY = {
  caller: [{ server: 'scripted', methods: ['tools/list', 'tools/call'], tools: ['echo'] }],
  group_mappings: { callers: ['caller'] },
}

interface WireError {
  readonly code: number
  readonly message: unknown
  readonly data?: object
}

/** A tenant of a scripted room, where `callers` may call `echo` alone. */
export interface RefusingRelay {
  readonly gateway: TestGateway
  readonly token: string
  send(init: RequestInit): Promise<Response>
  /** A call under the id `mine` that is served. */
  called(headers?: Record<string, string>): RequestInit
  /** What every refusal looks like, and that it harmed nobody. */
  expectRefusal(response: Response, status: number, error: WireError, id: unknown): Promise<void>
}

/** Registers the room and stores the policy. */
export async function refusingRelay(room: ScriptedRoom): Promise<RefusingRelay> {
  const gateway = createTestGateway()
  const token = await gateway.token()
  await room.register(gateway, token)
  const stored = await gateway.fetch('/api/v1/policy', rest(token, 'PUT', POLICY))
  expect(stored.status).toBe(200)
  const send = (init: RequestInit) => gateway.fetch('/scripted/mcp', init)
  const called = (headers: Record<string, string> = {}) =>
    modern(token, 'tools/call', ECHO, headers, 'mine')
  return {
    gateway,
    token,
    send,
    called,
    async expectRefusal(response, status, error, id) {
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe('application/json')
      expect(await response.json()).toEqual({
        jsonrpc: '2.0',
        id,
        error: {
          ...error,
          data: {
            code: expect.any(String),
            fix: expect.any(String),
            requestId: response.headers.get('x-request-id'),
            ...error.data,
          },
        },
      })
      expect((await room.log()).log).toEqual([])
      const next = await send(called())
      expect(next.status).toBe(200)
      expect(await next.text()).toContain('hi')
    },
  }
}
