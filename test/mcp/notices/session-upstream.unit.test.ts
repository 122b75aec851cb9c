import { expect, it } from 'vitest'
import { EndpointId } from '../../../src/core/index.ts'
import { openSessionWatch } from '../../../src/mcp/notices/session-upstream.ts'

it.each([404, 405])('tells by which status the handshake was refused: HTTP %i', async (status) => {
  const endpoint = EndpointId.parse(crypto.randomUUID())
  const where = { endpoint, url: 'https://up.example/', headers: [], timeoutMs: 1_000 }
  const opening = await openSessionWatch({
    outbound: {
      send: async () => ({ kind: 'response', response: new Response(null, { status }) }),
    },
    server: 'up',
    address: { ...where, transport: 'streamable-http' },
    wanted: { lists: [], uris: [] },
    uuid: () => crypto.randomUUID(),
    hear: () => undefined,
  })
  expect(opening).toEqual({ kind: 'failed', outcome: 'success', status })
})
