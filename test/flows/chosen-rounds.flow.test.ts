import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestGateway, modern, rest, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'
import { EXOTIC } from '../support/scripted-tools.ts'

const WISH = 'dev.gatehouse/route'
const THEIRS = 'their "näh" state'
const INVALID = { error: { message: 'The requestState is not valid for this request.' } }

interface Needed {
  readonly result: { readonly requestState: string; readonly _meta?: object }
}

/** Requests of several rounds to a server that the gateway, or a selector, chose. */
describe('a call of several rounds', () => {
  const rooms = { one: scriptedRoom('rounds-one'), two: scriptedRoom('rounds-two') }
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    for (const path of ['one', 'two'] as const) {
      const endpoints = [{ url: rooms[path].url('modern') }]
      await rooms[path].register(gateway, token, { path, endpoints })
    }
    const members = [
      { value: '1', server: 'one' },
      { value: '2', server: 'two' },
    ]
    const fleets = [{ selector: 'which', members, tools: [{ name: 'needs_input' }] }]
    const body = { path: 'both', name: 'Both', fleets }
    const made = await gateway.fetch('/api/v1/virtual-servers', rest(token, 'POST', body))
    expect([made.status, await made.text()]).toEqual([201, expect.any(String)])
  })

  beforeEach(async () => {
    for (const room of Object.values(rooms)) await room.log()
  })

  const sent = async (path: 'one' | 'two') =>
    (await rooms[path].log()).log.filter(({ body }) => body.includes('tools/call'))
  const retryOf = (requestState: string) => ({ requestState, inputResponses: { k: {} } })
  const route = (prefer: string[], more: object = {}, name = 'needs_input') =>
    gateway.fetch(
      '/mcp',
      modern(token, 'tools/call', {
        ...{ name, arguments: { n: 1 }, _meta: { [WISH]: { prefer } } },
        ...more,
      }),
    )
  const select = (which: string, more: object = {}) =>
    gateway.fetch(
      '/both/mcp',
      modern(token, 'tools/call', { name: 'needs_input', arguments: { n: 1, which }, ...more }),
    )

  it('ends where it began, whatever is the best server by then', async () => {
    const { result } = await (await route(['one'])).json<Needed>()
    expect(result.requestState).toMatch(/^one\+[\w.-]+$/)
    expect(result._meta).toMatchObject({ 'dev.gatehouse/routing': { server: 'one' } })
    await sent('one')
    const again = await route(['two'], retryOf(result.requestState))
    expect(await again.json()).toMatchObject({
      result: { _meta: { 'dev.gatehouse/routing': { server: 'one', reason: 'retry' } } },
    })
    const [retry] = await sent('one')
    expect(JSON.parse(retry?.body ?? '')).toMatchObject({ params: { requestState: THEIRS } })
    expect(await sent('two')).toEqual([])
  })

  it('goes to no other server by a state that was changed, or used before', async () => {
    const { result } = await (await route(['one'])).json<Needed>()
    const [, sealed = ''] = result.requestState.split('+')
    await sent('one')
    for (const state of [`two+${sealed}`, sealed, `nobody+${sealed}`, '', `+${sealed}`]) {
      expect(await (await route([], retryOf(state))).json()).toMatchObject(INVALID)
    }
    expect((await route([], retryOf(result.requestState))).status).toBe(200)
    await sent('one')
    expect(await (await route([], retryOf(result.requestState))).json()).toMatchObject(INVALID)
    expect([...(await sent('one')), ...(await sent('two'))]).toEqual([])
  })

  it('is bound to the member of a fleet that it began with', async () => {
    const { result } = await (await select('1')).json<Needed>()
    await sent('one')
    const elsewhere = await select('2', retryOf(result.requestState))
    expect(await elsewhere.json()).toMatchObject(INVALID)
    expect(await sent('two')).toEqual([])
    expect((await select('1', retryOf(result.requestState))).status).toBe(200)
    const [retry] = await sent('one')
    expect(JSON.parse(retry?.body ?? '')).toMatchObject({
      params: { requestState: THEIRS, arguments: { n: 1 } },
    })
    expect(retry?.body).not.toContain('which')
  })

  it.each(['exotic', 'exotic_sse'])('leaves every byte of %s but the note', async (tool) => {
    const text = await (await route(['one'], {}, tool)).text()
    expect(text).toContain('"dev.gatehouse/routing":{"server":"one"')
    const noted = text.replace(/,"dev\.gatehouse\/routing":\{"server":.*?\]\}(?=\})/, '')
    expect(noted).toContain(EXOTIC)
  })
})
