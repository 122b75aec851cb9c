import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/core/index.ts'
import { world } from './world.ts'

const { proxied, sought, behind, call } = world('own-tools-proxy')

describe('proxy_request', () => {
  const question = { server: 'clock', params: { name: 'now', arguments: {} } }

  it('sends a tool call unless told otherwise, without the caller’s envelope', async () => {
    const params = { ...question.params, _meta: { 'io.modelcontextprotocol/clientInfo': {} } }
    expect(await call('readers', 'proxy_request', { ...question, params })).toMatchObject({
      isError: false,
      structuredContent: {
        server: 'clock',
        method: 'tools/call',
        result: { content: [], isError: false },
      },
    })
    expect(proxied).toEqual([
      { path: 'clock', question: { method: 'tools/call', params: question.params } },
    ])
  })

  it('has the gateway choose where no server is named, and says why', async () => {
    const { params } = question
    sought.length = 0
    const route = { tag: 'time' }
    expect(await call('readers', 'proxy_request', { params, route })).toMatchObject({
      isError: false,
      structuredContent: { server: 'clock', routing: { reason: 'only_one', server: 'clock' } },
    })
    expect(sought).toEqual([{ method: 'tools/call', params, wish: route }])
    expect(proxied).toMatchObject([{ path: 'clock' }])
    for (const wrong of [
      { ...question, route },
      { params, route: { tags: ['time'] } },
    ]) {
      expect(await call('readers', 'proxy_request', wrong)).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('(invalid_params)') }],
      })
    }
  })

  it('fails as the tool behind it fails', async () => {
    behind.answer = () => ({ kind: 'result', result: { content: [], isError: true }, chars: 1 })
    expect(await call('readers', 'proxy_request', question)).toMatchObject({
      isError: true,
      structuredContent: { result: { isError: true } },
    })
  })

  it('tells of the server’s own error', async () => {
    behind.answer = () => ({ kind: 'error', code: -32602, message: 'no such zone' })
    expect(await call('readers', 'proxy_request', question)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('answered with error -32602: no such zone') }],
    })
  })

  it.each([
    'initialize',
    'ping',
    'server/discover',
    'resources/subscribe',
    'subscriptions/listen',
    'logging/setLevel',
    'notifications/cancelled',
    'tasks/get',
  ])('does not send %s', async (method) => {
    expect(await call('admins', 'proxy_request', { ...question, method })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('(invalid_params)') }],
    })
    expect(proxied).toEqual([])
  })

  it('throws what no model can repair', async () => {
    behind.answer = () => {
      throw new GatewayError('policy_unavailable', 'The registry cannot be read.')
    }
    await expect(call('admins', 'proxy_request', question)).rejects.toMatchObject({
      code: 'policy_unavailable',
    })
  })
})
