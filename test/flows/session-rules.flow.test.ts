import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  createTestGateway,
  hello,
  legacy,
  NOTIFICATION,
  rest,
  type TestGateway,
} from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const UNKNOWN = { 'mcp-session-id': 'never-given', 'mcp-protocol-version': '2025-11-25' }
const NOT_FOUND = { error: { code: -31005, data: { code: 'session_not_found' } } }

describe('an unknown session', () => {
  const room = scriptedRoom('session-rules')
  const endpoints = () => [{ url: room.url('dual') }]

  beforeEach(async () => {
    await room.log()
  })

  // req: session-delete-404
  it('cannot be ended: 404, at one server and where all meet', async () => {
    const gateway = createTestGateway()
    const token = await gateway.token()
    await room.register(gateway, token, { endpoints: endpoints() })
    await room.log()
    for (const path of ['/scripted/mcp', '/mcp']) {
      const headers = { ...UNKNOWN, authorization: `Bearer ${token}` }
      const response = await gateway.fetch(path, { method: 'DELETE', headers })
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject(NOT_FOUND)
    }
    expect((await room.log()).log).toEqual([])
  })

  // req: session-404-first
  it('is 404 for whoever is over the limit, and counts for nothing there', async () => {
    // One for registering, one for opening.
    const gateway = createTestGateway({ vars: { LIMIT_PRINCIPAL_PER_MINUTE: '2' } })
    const token = await gateway.token()
    await room.register(gateway, token, { endpoints: endpoints() })
    const ask = (headers: Record<string, string>) =>
      gateway.fetch('/scripted/mcp', legacy(token, 'tools/list', {}, headers))
    for (const _time of [1, 2, 3]) expect((await ask(UNKNOWN)).status).toBe(404)
    const opened = await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
    expect(opened.status).toBe(200)
    const known = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    expect((await ask(known)).status).toBe(429)
    const response = await ask(UNKNOWN)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(NOT_FOUND)
  })

  // req: session-404-first
  it('is 404 before the policy has its say, for requests and notifications', async () => {
    const gateway = createTestGateway()
    const root = await gateway.token()
    await room.register(gateway, root, { endpoints: endpoints() })
    const nobody = await gateway.token({ subject: 'nobody' })
    for (const id of [1, NOTIFICATION]) {
      for (const path of ['/scripted/mcp', '/mcp']) {
        const init = legacy(nobody, 'tools/list', {}, UNKNOWN, id)
        const response = await gateway.fetch(path, init)
        expect(response.status).toBe(404)
        expect(await response.json()).toMatchObject(NOT_FOUND)
      }
    }
  })

  // req: session-404-first
  it('is 404 while its server is down', async () => {
    let isDown = false
    const gateway = createTestGateway({
      seams: {
        fetcher: async (request) => {
          if (isDown) throw new Error('connection refused')
          return fetch(request)
        },
      },
    })
    const token = await gateway.token()
    await room.register(gateway, token, { endpoints: endpoints() })
    isDown = true
    const response = await gateway.fetch('/scripted/mcp', legacy(token, 'tools/list', {}, UNKNOWN))
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject(NOT_FOUND)
  })
})

describe('two clients of one server at the same time', () => {
  const room = scriptedRoom('clients-apart')
  let gateway: TestGateway
  let tokens: readonly [string, string]

  beforeAll(async () => {
    gateway = createTestGateway()
    const root = await gateway.token()
    await room.register(gateway, root, { endpoints: [{ url: room.url('dual') }] })
    const policy = {
      readers: [{ server: 'scripted', methods: ['*'], tools: ['*'] }],
      group_mappings: { people: ['readers'] },
    }
    expect((await gateway.fetch('/api/v1/policy', rest(root, 'PUT', policy))).status).toBe(200)
    tokens = [
      await gateway.token({ subject: 'ann', groups: ['people'] }),
      await gateway.token({ subject: 'bob', groups: ['people'] }),
    ]
  })

  const open = async (token: string): Promise<Record<string, string>> => {
    const opened = await gateway.fetch('/scripted/mcp', legacy(token, 'initialize', hello()))
    await opened.text()
    return { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
  }
  const sent = async (method: string) =>
    (await room.log()).log
      .map(({ body, headers }) => ({ ...JSON.parse(body || '{}'), headers }))
      .filter((message) => message.method === method)

  // req: clients-apart
  // req: equal-ids-apart
  it('get each its own answer, though their ids are the same', async () => {
    const sessions = await Promise.all(tokens.map(open))
    expect(sessions[0]).not.toEqual(sessions[1])
    await room.log()
    const answers = tokens.map((token, index) => {
      const params = { name: 'held', arguments: { of: index } }
      const init = legacy(token, 'tools/call', params, sessions[index])
      return gateway.fetch('/scripted/mcp', init)
    })
    const calls: { id: unknown; headers: Record<string, string> }[] = []
    await expect
      .poll(async () => {
        calls.push(...(await sent('tools/call')))
        return calls.length
      })
      .toBe(2)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    expect(new Set(calls.map(({ headers }) => headers['mcp-session-id'])).size).toBe(2)
    await room.control({ release: true })
    for (const [index, answer] of answers.entries()) {
      expect(await (await answer).json()).toMatchObject({
        id: 1,
        result: { content: [{ text: JSON.stringify({ of: index }) }] },
      })
    }
  })

  // req: clients-apart
  it('cancel each its own call, though their ids are the same', async () => {
    const [ann, bob] = tokens
    const [ofAnn, ofBob] = [await open(ann), await open(bob)]
    const hang = { name: 'hang', arguments: {} }
    const running = await gateway.fetch(
      '/scripted/mcp',
      legacy(ann, 'tools/call', hang, ofAnn, 'same'),
    )
    await room.log()
    const cancel = (token: string, headers: Record<string, string>) => {
      const params = { requestId: 'same' }
      const init = legacy(token, 'notifications/cancelled', params, headers, NOTIFICATION)
      return gateway.fetch('/scripted/mcp', init)
    }
    expect((await cancel(bob, ofBob)).status).toBe(202)
    expect(await sent('notifications/cancelled')).toEqual([])
    expect((await cancel(ann, ofAnn)).status).toBe(202)
    expect(await sent('notifications/cancelled')).toHaveLength(1)
    await running.body?.cancel()
  })
})
