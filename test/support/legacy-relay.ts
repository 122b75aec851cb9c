import { expect } from 'vitest'
import { createTestGateway, hello, legacy, type TestGateway } from './gateway.ts'
import type { SessionHeaders } from './legacy-session.ts'
import type { ScriptedRoom } from './scripted-room.ts'

/** A tenant of a scripted room, whose client is legacy. */
export interface LegacyRelay {
  readonly gateway: TestGateway
  readonly token: string
  /** A session with `relic`. */
  open(on?: TestGateway, as?: string): Promise<SessionHeaders>
  /** Calls `echo` of `relic`. */
  call(
    headers: Record<string, string>,
    message?: string,
    as?: string,
    id?: unknown,
  ): Promise<Response>
}

export const echo = (message: string) => ({ name: 'echo', arguments: { message } })

/** Of a request that reached the room. */
export const rpcMethod = ({ body }: { readonly body: string }) =>
  body === '' ? '' : JSON.parse(body).method

/** Registers the room as the server `relic`. */
export async function registerRelic(
  room: ScriptedRoom,
  gateway: TestGateway,
  token: string,
): Promise<void> {
  const endpoints = [{ url: room.url('dual') }]
  await room.register(gateway, token, { path: 'relic', name: 'relic', endpoints })
}

/** @see LegacyRelay */
export async function legacyRelay(room: ScriptedRoom): Promise<LegacyRelay> {
  const gateway = createTestGateway()
  const token = await gateway.token()
  await registerRelic(room, gateway, token)
  const relay: LegacyRelay = {
    gateway,
    token,
    async open(on = gateway, as = token) {
      const response = await on.fetch('/relic/mcp', legacy(as, 'initialize', hello()))
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({
        id: 1,
        result: { protocolVersion: '2025-11-25' },
      })
      const id = response.headers.get('mcp-session-id') ?? ''
      expect(id).toMatch(/^[\x21-\x7e]+$/)
      return { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
    },
    call: (headers, message = 'hi', as = token, id = 1) =>
      gateway.fetch('/relic/mcp', legacy(as, 'tools/call', echo(message), headers, id)),
  }
  // Before the first of them the gateway says hello by itself, to learn what the server speaks.
  await relay.open()
  return relay
}
