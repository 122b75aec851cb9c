import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { changesOf, isDown, VALID } from '../../registry/gateway.ts'
import { actorOf, world } from './world.ts'

const TENANT = 'own-tools-call'
const { gateway, tools, call } = world(TENANT)

describe('a result', () => {
  it('is structured by its schema, and the same as text', async () => {
    const result = await call('readers', 'list_servers')
    expect(result).toMatchObject({
      isError: false,
      structuredContent: {
        servers: [
          {
            path: 'clock',
            name: 'Clock',
            enabled: true,
            health: 'healthy',
            discovered: { tools: 2, resources: 1, resourceTemplates: 1, prompts: 0 },
          },
        ],
      },
    })
    expect(JSON.parse(result.content[0]?.text ?? '')).toEqual(result.structuredContent)
    const [definition] = tools.list(await actorOf(TENANT, 'readers'))
    expect(
      z.fromJSONSchema({ ...definition?.outputSchema }).safeParse(result.structuredContent),
    ).toMatchObject({ success: true })
  })

  it.each<[string, string, unknown, RegExp]>([
    ['an unknown member', 'list_servers', { wat: 1 }, /wat/],
    ['a bad cursor', 'list_servers', { cursor: 'x' }, /cursor/],
    ['no server', 'toggle_server', {}, /server: .*\(invalid_params\)$/s],
    ['several mistakes', 'register_server', { path: 'A', name: '' }, /- path: .*\n- name: /],
    ['an unknown server', 'toggle_server', { server: 'nothing' }, /no server named "nothing"/],
    ['a taken path', 'register_server', VALID, /\(conflict\)$/],
    [
      'a private address',
      'register_server',
      { ...VALID, path: 'p', endpoints: [{ url: 'http://10.0.0.1/' }] },
      /private/,
    ],
    ['arguments that are no object', 'list_servers', [], /invalid_params/],
  ])('tells the model what to repair about %s', async (_what, name, args, text) => {
    const result = await call('admins', name, args)
    expect(result).toEqual({
      content: [{ type: 'text', text: expect.stringMatching(text) }],
      isError: true,
    })
  })

  it('of another tenant’s server is as if there were none', async () => {
    const stranger = await actorOf('own-tools-elsewhere', 'admins')
    const result = await tools.call(gateway.ctx, stranger, 'toggle_server', { server: 'clock' })
    expect(result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('There is no server named "clock".') }],
    })
  })
})

describe('register_server and toggle_server', () => {
  it('register and toggle as REST does, in the name of the caller', async () => {
    const registered = await call('owners', 'register_server', { ...VALID, path: 'mine' })
    expect(registered.structuredContent).toMatchObject({ path: 'mine', health: 'healthy' })
    const off = await call('owners', 'toggle_server', { server: 'mine', enabled: false })
    expect(off.structuredContent).toMatchObject({ path: 'mine', enabled: false })
    expect(
      (await call('owners', 'toggle_server', { server: 'mine' })).structuredContent,
    ).toMatchObject({
      enabled: true,
    })
    const { key } = (await actorOf(TENANT, 'owners')).principal
    expect((await changesOf(TENANT)).filter(({ target }) => target === 'mine')).toMatchObject([
      { action: 'server.register', actor: key },
      { action: 'server.toggle', actor: key },
      { action: 'server.toggle', actor: key },
    ])
  })

  it('leave to owners what is theirs alone', async () => {
    for (const name of ['toggle_server', 'health_check']) {
      expect(await call('owners', name, { server: 'clock' })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('(forbidden)') }],
      })
    }
  })

  it('refuse a server that does not answer, unless told otherwise', async () => {
    gateway.state.discover = isDown
    const server = { ...VALID, path: 'down' }
    expect(await call('admins', 'register_server', server)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('(upstream_unreachable)') }],
    })
    const forced = await call('admins', 'register_server', { ...server, allowUnreachable: true })
    expect(forced).toMatchObject({ isError: false, structuredContent: { path: 'down' } })
  })
})

describe('health_check', () => {
  it('asks the server now', async () => {
    gateway.asked.length = 0
    const result = await call('admins', 'health_check', { server: 'clock' })
    expect(result).toMatchObject({
      isError: false,
      structuredContent: {
        server: 'clock',
        reachable: true,
        error: null,
        health: 'healthy',
        endpoints: [{ health: 'healthy', consecutiveFailures: 0 }],
      },
    })
    expect(gateway.asked).toMatchObject([{ url: 'https://clock.example/mcp' }])
  })

  it('finds out that a server does not answer', async () => {
    gateway.state.discover = isDown
    expect(await call('admins', 'health_check', { server: 'clock' })).toMatchObject({
      isError: false,
      structuredContent: {
        reachable: false,
        error: expect.stringContaining('The connection was refused.'),
      },
    })
  })
})
