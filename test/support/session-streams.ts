import { expect } from 'vitest'
import { createTestGateway, legacy, type TestGateway } from './gateway.ts'
import { openSession, type SessionHeaders } from './legacy-session.ts'
import type { ScriptedRoom } from './scripted-room.ts'

export type Headers = Readonly<Record<string, string>>

/** A tenant of a scripted room, whose client opens streams in its sessions. */
export interface SessionStreams {
  readonly gateway: TestGateway
  readonly token: string
  /** A session with `scripted` unless told otherwise. */
  open(path?: string, version?: string): Promise<SessionHeaders>
  /** Opens a stream. */
  get(headers: Headers, path?: string, as?: string): Promise<Response>
  /** Calls this tool of `scripted`. */
  post(name: string, headers: Headers, id?: unknown): Promise<Response>
  /** Of requests. */
  lines(): readonly Record<string, unknown>[]
  /** Before each test: no stream is open, whatever the one before left. */
  reset(): Promise<void>
}

/** Registers the room as `scripted` and `other`, which open streams, and as `modern-only`. */
export async function sessionStreams(
  room: ScriptedRoom,
  clock: { now(): number } = Date,
): Promise<SessionStreams> {
  const gateway = createTestGateway({ seams: { clock } })
  const token = await gateway.token({ ttlSeconds: 10 * 86_400 })
  for (const [path, era] of [
    ['scripted', 'dual'],
    ['modern-only', 'modern'],
    ['other', 'dual'],
  ] as const) {
    await room.register(gateway, token, { path, endpoints: [{ url: room.url(era) }] })
  }
  return {
    gateway,
    token,
    open: (path = 'scripted', version) => openSession(gateway, token, `/${path}/mcp`, version),
    get: (headers, path = 'scripted', as = token) =>
      gateway.fetch(`/${path}/mcp`, {
        headers: { authorization: `Bearer ${as}`, accept: 'text/event-stream', ...headers },
      }),
    post: (name, headers, id = 'mine') => {
      const init = legacy(token, 'tools/call', { name, arguments: {} }, headers, id)
      return gateway.fetch('/scripted/mcp', init)
    },
    lines: () => gateway.events.filter(({ type }) => type === 'request'),
    async reset() {
      await room.control({ closeStreams: true })
      await expect.poll(async () => (await room.log()).streams).toBe(0)
      gateway.events.length = 0
    },
  }
}
