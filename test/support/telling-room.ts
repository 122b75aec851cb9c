import { expect, inject } from 'vitest'
import { rest, type TestGateway } from './gateway.ts'
import type { TellingMood, TellingState } from './telling-server.ts'

/** One suite's own part of the telling server, as the suite uses it. */
export interface TellingRoom {
  state(): Promise<TellingState>
  control(mood: TellingMood): Promise<void>
  /** Registers it; what it offers is known then. */
  register(gateway: TestGateway, token: string, path: string, kind: TellingKind): Promise<void>
}

export type TellingKind = 'modern' | 'legacy' | 'dual' | 'mute'

/** @see TellingRoom */
export function tellingRoom(name: string = crypto.randomUUID()): TellingRoom {
  const at = (what: string) => `${inject('tellingOrigin')}/${what}/${name}`
  return {
    async state() {
      return (await fetch(at('state'))).json()
    },
    async control(mood) {
      const response = await fetch(at('control'), { method: 'POST', body: JSON.stringify(mood) })
      await response.text()
    },
    async register(gateway, token, path, kind) {
      const server = { path, name: path, endpoints: [{ url: at(kind) }] }
      const response = await gateway.fetch('/api/v1/servers', rest(token, 'POST', server))
      expect(response.status).toBe(201)
    },
  }
}

/** A list has changed. */
export const changed = (list: 'tools' | 'prompts' | 'resources') => ({
  method: `notifications/${list}/list_changed`,
})

/** What a URI stands for has changed. */
export const updated = (uri: string) => ({
  method: 'notifications/resources/updated',
  params: { uri },
})
