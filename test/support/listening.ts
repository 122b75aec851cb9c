import { expect } from 'vitest'
import { type EventReader, nextMessage, readEvents } from './event-reader.ts'
import { createTestGateway, modern, type TestGateway } from './gateway.ts'
import { type TellingKind, type TellingRoom, tellingRoom } from './telling-room.ts'

export const TOOLS = { toolsListChanged: true }

/** Asks `path` to be told of these changes, under an id. */
export const listen = (
  gateway: TestGateway,
  token: string,
  path: string,
  notifications: object,
  id: unknown = 'a listen',
) =>
  gateway.fetch(
    path === 'mcp' ? '/mcp' : `/${path}/mcp`,
    modern(token, 'subscriptions/listen', { notifications }, {}, id),
  )

export interface Opened {
  readonly events: EventReader
  /** What came first. */
  readonly ack: Record<string, unknown> | undefined
}

/** A stream that must have been opened. */
export async function opened(response: Response): Promise<Opened> {
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const events = readEvents(response)
  return { events, ack: await nextMessage(events) }
}

export interface Scene {
  readonly gateway: TestGateway
  readonly token: string
  readonly room: TellingRoom
}

/** One server of this kind, under the path `one`. */
export async function scene(kind: TellingKind): Promise<Scene> {
  const gateway = createTestGateway()
  const token = await gateway.token()
  const room = tellingRoom()
  await room.register(gateway, token, 'one', kind)
  return { gateway, token, room }
}
