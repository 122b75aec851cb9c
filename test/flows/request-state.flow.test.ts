import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const THEIRS = 'their "näh" state'

describe('the state of a request that needs input', () => {
  const room = scriptedRoom('request-state')
  let now = Date.now()
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway({ seams: { clock: { now: () => now } } })
    token = await gateway.token({ ttlSeconds: 86_400 })
    await room.register(gateway, token)
    const endpoints = [{ url: room.url('modern') }]
    await room.register(gateway, token, { path: 'other', endpoints })
  })

  beforeEach(async () => {
    await room.log()
  })

  const args = { n: 1, deep: { b: 1, a: 2 } }
  const call = (requestState?: unknown, change: object = {}, path = 'scripted', as = token) => {
    const state = requestState === undefined ? {} : { requestState, inputResponses: { k: {} } }
    const params = { name: 'needs_input', arguments: args, ...state, ...change }
    return gateway.fetch(`/${path}/mcp`, modern(as, 'tools/call', params, {}, 'mine'))
  }

  async function sealedState(): Promise<string> {
    const { result } = await (await call()).json<{ result: { requestState: string } }>()
    return result.requestState
  }

  // req: request-state-sealed
  // req: request-state-exact
  it('is sealed for the client, and comes back to the server as it was', async () => {
    const sealed = await sealedState()
    expect(sealed).toMatch(/^[\w.-]+$/)
    await room.log()
    // The same arguments in another order are the same.
    const response = await call(sealed, { arguments: { deep: { a: 2, b: 1 }, n: 1 } })
    expect(response.status).toBe(200)
    const [sent] = (await room.log()).log
    expect(JSON.parse(sent?.body ?? '')).toMatchObject({
      params: { requestState: THEIRS, inputResponses: { k: {} } },
    })
  })

  const refusal = {
    jsonrpc: '2.0',
    id: 'mine',
    error: {
      code: -32602,
      message: 'The requestState is not valid for this request.',
      data: { code: 'invalid_params' },
    },
  }

  it('opens once, whatever isolate is asked', async () => {
    const sealed = await sealedState()
    expect((await call(sealed)).status).toBe(200)
    await room.log()
    const elsewhere = createTestGateway({
      seams: { clock: { now: () => now } },
      tenant: gateway.tenant,
    })
    const params = { name: 'needs_input', arguments: args, requestState: sealed }
    const again = modern(token, 'tools/call', params, {}, 'mine')
    for (const replayed of [await call(sealed), await elsewhere.fetch('/scripted/mcp', again)]) {
      expect(replayed.status).toBe(400)
      expect(await replayed.json()).toMatchObject(refusal)
    }
    expect((await room.log()).log).toEqual([])
  })

  it('is refused when nobody can say whether it was opened before', async () => {
    const sealed = await sealedState()
    await room.log()
    const broken = createTestGateway({
      seams: { clock: { now: () => now } },
      tenant: gateway.tenant,
      bindings: {
        SESSIONS: {
          getByName: () => {
            throw new Error('no object')
          },
        },
      },
    })
    const params = { name: 'needs_input', arguments: args, requestState: sealed }
    const response = await broken.fetch(
      '/scripted/mcp',
      modern(token, 'tools/call', params, {}, 'mine'),
    )
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ id: 'mine', error: { code: -32603 } })
    expect((await room.log()).log).toEqual([])
    // It was not spent.
    expect((await call(sealed)).status).toBe(200)
  })

  it.each<[string, (sealed: string) => Promise<Response>]>([
    ['made up', () => call('made-up')],
    ['no text', () => call({ state: 1 })],
    ['empty', () => call('')],
    [
      'tampered with',
      (sealed) => call(`${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`),
    ],
    ["the server's own", () => call(THEIRS)],
    ['for other arguments', (sealed) => call(sealed, { arguments: { n: 2 } })],
    ['for another tool', (sealed) => call(sealed, { name: 'echo' })],
    ['for another server', (sealed) => call(sealed, {}, 'other')],
    [
      'for another user',
      async (sealed) =>
        call(sealed, {}, 'scripted', await gateway.token({ subject: 'root2', groups: [] })),
    ],
    [
      'an hour old',
      (sealed) => {
        now += 3_600_000
        return call(sealed)
      },
    ],
  ])('that is %s is refused, and nothing is sent', async (what, send) => {
    const sealed = await sealedState()
    await room.log()
    const response = await send(sealed)
    // Who may not use the server learns nothing of states either.
    if (what === 'for another user') {
      expect(response.status).toBe(404)
    } else {
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject(refusal)
    }
    expect((await room.log()).log).toEqual([])
  })
})
