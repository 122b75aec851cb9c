import { createTestGateway, modern, type TestGateway } from './gateway.ts'
import type { ScriptedRoom } from './scripted-room.ts'

export const VERSION = 'io.modelcontextprotocol/protocolVersion'
export const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'

/** What a `_meta` written by hand has to hold. */
export const ENVELOPE = `"${VERSION}":"2026-07-28","${CAPABILITIES}":{}`

export const ECHO = { name: 'echo', arguments: { message: 'hi' } }

/** As a header must say what is no visible ASCII (MCP 2026-07-28, Value encoding). */
export const base64 = (text: string) =>
  `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`

type Params = Record<string, unknown>
type Headers = Record<string, string>

/** A tenant of a scripted room, whose client is modern. */
export interface ModernRelay {
  readonly gateway: TestGateway
  readonly token: string
  /** To `scripted` unless told otherwise. */
  send(init: RequestInit, path?: string): Promise<Response>
  call(params: Params, headers?: Headers, id?: unknown): Promise<Response>
  /** Calls it without arguments. */
  tool(name: string, id?: unknown): Promise<Response>
  /** A request whose text is written by hand. */
  raw(body: string, headers?: Headers): Promise<Response>
  eventLines(): readonly Record<string, unknown>[]
  /** Before each test. */
  reset(): Promise<void>
}

/** Registers the room, which is sent a header of its own with each request. */
export async function modernRelay(room: ScriptedRoom): Promise<ModernRelay> {
  const gateway = createTestGateway()
  const token = await gateway.token()
  await room.register(gateway, token, { headers: { 'x-service-name': 'gatehouse' } })
  const send = (init: RequestInit, path = 'scripted') => gateway.fetch(`/${path}/mcp`, init)
  const call = (params: Params, headers: Headers = {}, id: unknown = 1) =>
    send(modern(token, 'tools/call', params, headers, id))
  return {
    gateway,
    token,
    send,
    call,
    tool: (name, id = 1) => call({ name, arguments: {} }, {}, id),
    raw: (body, headers = {}) => send({ ...modern(token, 'tools/call', ECHO, headers), body }),
    eventLines: () => gateway.events.filter(({ type }) => type === 'request'),
    async reset() {
      await room.log()
      gateway.events.length = 0
    },
  }
}
