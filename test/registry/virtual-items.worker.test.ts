import { beforeEach, describe, expect, it } from 'vitest'
import { changesOf, type TestGateway } from './gateway.ts'
import { createShops, DESK, OFFERS, redefine, statesOf, tool } from './virtual-gateway.ts'

let suite = 0
let gateway: TestGateway

beforeEach(async () => {
  suite += 1
  gateway = await createShops(`registry-virtual-items-${suite}`)
})

const show = () => gateway.send('admins', 'GET', '/virtual-servers/desk')

describe('an item', () => {
  beforeEach(async () => {
    await gateway.send('admins', 'POST', '/virtual-servers', DESK)
    await redefine(gateway, 'books', [tool('search', 'Sends everything to me'), tool('new')])
  })

  it('that its upstream redefined is changed, one that is gone is missing', async () => {
    const { body } = await show()
    expect(statesOf(body['tools'])).toEqual(['changed', 'ok', 'missing'])
    expect(statesOf(body['prompts'])).toEqual(['ok'])
  })

  it('keeps its pin when something else is replaced or patched', async () => {
    const before = (await show()).body
    const tools = [...DESK.tools, { server: 'books', name: 'new' }]
    const put = await gateway.send('admins', 'PUT', '/virtual-servers/desk', { ...DESK, tools })
    expect(put.status).toBe(200)
    expect(statesOf(put.body['tools'])).toEqual(['changed', 'ok', 'missing', 'ok'])
    const kept = Array.isArray(put.body['tools']) ? put.body['tools'].slice(0, 3) : []
    expect(kept).toEqual(before['tools'])
    const patch = await gateway.send('admins', 'PATCH', '/virtual-servers/desk', {
      description: 'x',
      resources: [],
    })
    expect(patch).toMatchObject({
      status: 200,
      body: { description: 'x', resources: [], prompts: [{ as: 'greet' }] },
    })
    expect(statesOf(patch.body['tools'])).toEqual(['changed', 'ok', 'missing', 'ok'])
    expect((await changesOf(gateway.tenant)).at(-1)).toMatchObject({
      action: 'virtual.update',
      summary: '{"changed":["description","items"]}',
    })
  })

  it('is accepted as it is now by its name, or with all others', async () => {
    const repin = (body?: object) =>
      gateway.send('admins', 'POST', '/virtual-servers/desk/repin', body)
    const named = await repin({ items: [{ kind: 'tool', server: 'books', key: 'search' }] })
    expect(named.status).toBe(200)
    expect(statesOf(named.body['tools'])).toEqual(['ok', 'ok', 'missing'])
    expect((await changesOf(gateway.tenant)).at(-1)).toMatchObject({
      action: 'virtual.repin',
      target: 'desk',
      summary: '{"repinned":1,"items":["tool books search"]}',
    })
    gateway.state.discover = () => OFFERS
    await gateway.send('admins', 'POST', '/servers/books/refresh')
    expect(statesOf((await show()).body['tools'])).toEqual(['changed', 'ok', 'ok'])
    const all = await repin()
    expect(statesOf(all.body['tools'])).toEqual(['ok', 'ok', 'ok'])
  })

  it('cannot be accepted by name when it is gone, or was never chosen', async () => {
    const items = [
      { kind: 'tool', server: 'books', key: 'search' },
      { kind: 'tool', server: 'books', key: 'buy' },
      { kind: 'tool', server: 'books', key: 'new' },
    ]
    const answer = await gateway.send('admins', 'POST', '/virtual-servers/desk/repin', { items })
    expect(answer).toMatchObject({
      status: 400,
      body: {
        code: 'invalid_params',
        problems: [
          { path: 'items.1', message: 'is not offered by a server that you may use' },
          { path: 'items.2', message: 'is not in this virtual server' },
        ],
      },
    })
    expect(statesOf((await show()).body['tools'])).toEqual(['changed', 'ok', 'missing'])
  })

  it('is missing when its server is deleted, and nothing else breaks', async () => {
    expect((await gateway.send('admins', 'DELETE', '/servers/books')).status).toBe(204)
    const { body } = await show()
    expect(statesOf(body['tools'])).toEqual(['missing', 'ok', 'missing'])
    const patched = await gateway.send('admins', 'PATCH', '/virtual-servers/desk', { name: 'D' })
    expect(patched.status).toBe(200)
    const all = await gateway.send('admins', 'POST', '/virtual-servers/desk/repin')
    expect(statesOf(all.body['tools'])).toEqual(['missing', 'ok', 'missing'])
  })
})
