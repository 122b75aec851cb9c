import { expect } from 'vitest'
import { createTestGateway, type TestGateway } from './gateway.ts'
import type { ScriptedRoom } from './scripted-room.ts'
import type { ScriptedLog } from './scripted-server.ts'
import { openSse, type SseClient } from './sse-client.ts'

/** A tenant of a scripted room, to whose clients HTTP with SSE is spoken. */
export interface SseTenant {
  readonly gateway: TestGateway
  /** Another isolate. */
  readonly other: TestGateway
  open(): Promise<SseClient>
  /** One that said hello, and has a stream of the server. */
  greeted(version?: string): Promise<SseClient>
  /** What the server was sent by POST since its log was read. */
  posted(): Promise<ScriptedLog['log']>
  /** Of requests. */
  lines(): readonly Record<string, unknown>[]
  /** Before each test: no stream is open, whatever the one before left. */
  reset(): Promise<void>
}

/** @see SseTenant */
export async function sseTenant(room: ScriptedRoom): Promise<SseTenant> {
  const gateway = createTestGateway()
  const other = createTestGateway({ tenant: gateway.tenant })
  const token = await gateway.token()
  await room.register(gateway, token, { endpoints: [{ url: room.url('dual') }] })
  const streams = async () => (await room.log()).streams
  const open = () => openSse(gateway, token, '/scripted/sse')
  return {
    gateway,
    other,
    open,
    async greeted(version) {
      const client = await open()
      await client.greet(version)
      await expect.poll(streams).toBe(1)
      return client
    },
    posted: async () => (await room.log()).log.filter(({ httpMethod }) => httpMethod === 'POST'),
    lines: () => gateway.events.filter(({ type }) => type === 'request'),
    async reset() {
      await room.control({ closeStreams: true, offersStreams: true, release: true })
      await expect.poll(streams).toBe(0)
      gateway.events.length = 0
    },
  }
}

export const call = (id: unknown, name: string, args: object = {}) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args },
})

/** What `echo` answers. */
export const echoed = (id: unknown, args: object) => ({
  id,
  result: { content: [{ type: 'text', text: JSON.stringify(args) }] },
})
