import { expect, inject } from 'vitest'
import { rest, type TestGateway } from './gateway.ts'
import type { Mood, ScriptedLog } from './scripted-server.ts'

/** One suite's own part of the scripted server, as the suite uses it. */
export interface ScriptedRoom {
  url(era: 'modern' | 'dual'): string
  /** Gives what arrived since it was last asked. */
  log(): Promise<ScriptedLog>
  control(mood: Mood): Promise<void>
  /** Registers it as the server `scripted`; `body` overrides. */
  register(gateway: TestGateway, token: string, body?: object): Promise<void>
}

/** @see ScriptedRoom */
export function scriptedRoom(name: string): ScriptedRoom {
  const at = (what: string) => `${inject('scriptedOrigin')}/${what}/${name}`
  return {
    url: at,
    async log() {
      const response = await fetch(at('log'))
      return response.json()
    },
    async control(mood) {
      await fetch(at('control'), { method: 'POST', body: JSON.stringify(mood) })
    },
    async register(gateway, token, body = {}) {
      const server = { path: 'scripted', name: 'Scripted', endpoints: [{ url: at('modern') }] }
      const response = await gateway.fetch(
        '/api/v1/servers',
        rest(token, 'POST', { ...server, ...body }),
      )
      expect(response.status).toBe(201)
    },
  }
}
