import { createTestGateway, legacy, modern, type TestGateway } from './gateway.ts'
import { openSession } from './legacy-session.ts'
import type { scriptedRoom } from './scripted-room.ts'

/** What bounds calls is tried with breakers that never open. */
const VARS = { BREAKER_FAILURE_THRESHOLD: '1000', BREAKER_FAILURE_PERCENT: '100' }

/** A modern call of `tools/call` at a scripted server. */
export const call = (token: string, name: string, args: object = {}) =>
  modern(token, 'tools/call', { name, arguments: args }, {}, 'mine')

/** A gateway before the room's server, registered with `body`; nothing of that is in log or events. */
export async function gatewayFor(
  room: ReturnType<typeof scriptedRoom>,
  body: object,
  options: Parameters<typeof createTestGateway>[0] = {},
): Promise<{ gateway: TestGateway; token: string }> {
  const gateway = createTestGateway({ ...options, vars: { ...VARS, ...options.vars } })
  const token = await gateway.token()
  await room.register(gateway, token, body)
  await room.log()
  gateway.events.length = 0
  return { gateway, token }
}

/** Opens a legacy session, and gives what calls in it. */
export async function callsInSession(gateway: TestGateway, token: string) {
  const headers = await openSession(gateway, token, '/scripted/mcp')
  return (name: string, args: object = {}) =>
    gateway.fetchWith(
      '/scripted/mcp',
      legacy(token, 'tools/call', { name, arguments: args }, headers, 'mine'),
    )
}
