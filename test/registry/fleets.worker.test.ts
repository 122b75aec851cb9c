import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createGateway, DISCOVERY, type TestGateway, VALID } from './gateway.ts'
import { actorUnder, redefine } from './virtual-gateway.ts'

const tool = (name: string, properties: object = {}, more: object = {}) => ({
  name,
  description: name,
  inputSchema: { type: 'object', properties, ...more },
})
const TOOLS = [tool('scale'), tool('logs'), tool('odd', { cluster: {} })]
const AT = '/virtual-servers/k8s'
const FLEET = {
  selector: 'cluster',
  description: 'Which cluster.',
  members: [
    { value: 'eu', server: 'k8s-eu' },
    { value: 'us', server: 'k8s-us' },
  ],
  tools: [{ name: 'scale', as: 'scale_it', description: 'Scales.' }],
}
const input = (change: object = {}, more: object = {}) => ({
  path: 'k8s',
  name: 'Clusters',
  fleets: [{ ...FLEET, ...change }],
  ...more,
})

let gateway: TestGateway
let round = 0

beforeEach(async () => {
  round += 1
  gateway = createGateway(`registry-fleets-${round}`)
  gateway.state.discover = () => ({ ...DISCOVERY, tools: TOOLS })
  for (const server of [
    { ...VALID, path: 'k8s-eu' },
    { ...VALID, path: 'k8s-us' },
    { ...VALID, path: 'k8s-secret', visibility: 'private' },
  ]) {
    expect((await gateway.send('admins', 'POST', '/servers', server)).status).toBe(201)
  }
})

const create = (body: object, group = 'admins') =>
  gateway.send(group, 'POST', '/virtual-servers', body)
const fleetsNow = async () => (await gateway.send('admins', 'GET', AT)).body['fleets']
const problem = (path: string, message: unknown) => ({
  status: 400,
  body: { code: 'invalid_params', problems: [{ path, message }] },
})

describe('a fleet', () => {
  it('is one tool with a member for each upstream, pinned by what the first one offers', async () => {
    const made = await create(input())
    expect(made).toMatchObject({
      status: 201,
      body: {
        tools: [],
        fleets: [
          {
            name: 'scale',
            as: 'scale_it',
            description: 'Scales.',
            selector: 'cluster',
            selectorDescription: 'Which cluster.',
            contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
            members: [
              { value: 'eu', server: 'k8s-eu', state: 'ok' },
              { value: 'us', server: 'k8s-us', state: 'ok' },
            ],
          },
        ],
      },
    })
    const { body } = await gateway.send('admins', 'GET', '/virtual-servers')
    expect(body['virtualServers']).toMatchObject([{ items: { tools: 1 } }])
  })

  it('is of all tools that its members share, where none is named', async () => {
    await redefine(gateway, 'k8s-us', [tool('logs'), tool('scale'), tool('extra')])
    const made = await create(input({ selector: 'where', tools: undefined }))
    expect(made.body['fleets']).toMatchObject([{ name: 'scale' }, { name: 'logs' }])
    await redefine(gateway, 'k8s-us', [tool('extra')])
    const none = await create({ ...input({ tools: undefined }), path: 'other' })
    expect(none).toMatchObject(problem('fleets.0', 'its members share no tool that you may use'))
  })

  it('holds back a member whose tool is another one, from the start and later', async () => {
    await redefine(gateway, 'k8s-us', [tool('scale', { replicas: {} })])
    const made = await create(input())
    const states = (body: unknown) => body as { members: { state: string }[] }[]
    expect(states(made.body['fleets'])[0]?.members).toMatchObject([
      { value: 'eu', state: 'ok' },
      { value: 'us', state: 'changed' },
    ])
    await redefine(gateway, 'k8s-eu', [])
    expect(states(await fleetsNow())[0]?.members).toMatchObject([
      { state: 'missing' },
      { state: 'changed' },
    ])
  })

  it('is pinned anew as a whole: to the named member, or to the first', async () => {
    await create(input())
    const newer = tool('scale', { replicas: {} })
    await redefine(gateway, 'k8s-us', [newer])
    const items = [{ kind: 'tool', server: 'k8s-us', key: 'scale' }]
    const named = await gateway.send('admins', 'POST', `${AT}/repin`, { items })
    expect(named.body['fleets']).toMatchObject([
      { members: [{ state: 'changed' }, { state: 'ok' }] },
    ])
    const all = await gateway.send('admins', 'POST', `${AT}/repin`)
    expect(all.body['fleets']).toMatchObject([{ members: [{ state: 'ok' }, { state: 'changed' }] }])
  })

  it('keeps its pin when it gets another member', async () => {
    await create(input({ members: FLEET.members.slice(0, 1) }))
    await redefine(gateway, 'k8s-eu', [tool('scale', { replicas: {} })])
    const put = await gateway.send('admins', 'PUT', AT, input())
    expect(put.body['fleets']).toMatchObject([
      {
        members: [
          { value: 'eu', state: 'changed' },
          { value: 'us', state: 'ok' },
        ],
      },
    ])
  })

  it('stays when a patch speaks of tools, and the reverse', async () => {
    await create(input({}, { tools: [{ server: 'k8s-eu', name: 'logs' }] }))
    const tools = [{ server: 'k8s-us', name: 'logs' }]
    const patched = await gateway.send('admins', 'PATCH', AT, { tools })
    expect(patched.body).toMatchObject({
      tools: [{ server: 'k8s-us' }],
      fleets: [{ as: 'scale_it' }],
    })
    const without = await gateway.send('admins', 'PATCH', AT, { fleets: [] })
    expect(without.body).toMatchObject({ tools: [{ server: 'k8s-us' }], fleets: [] })
    const clash = { tools: [{ server: 'k8s-us', name: 'logs', as: 'scale_it' }] }
    await gateway.send('admins', 'PATCH', AT, { fleets: [FLEET] })
    expect(await gateway.send('admins', 'PATCH', AT, clash)).toMatchObject(
      problem('tools.0.as', 'must be a name that no other has'),
    )
  })

  it('leaves out members that its reader may not list', async () => {
    const secret = { value: 'secret', server: 'k8s-secret' }
    await create(input({ members: [secret, ...FLEET.members] }))
    const { body } = await gateway.send('readers', 'GET', AT)
    expect(body['fleets']).toMatchObject([
      { as: 'scale_it', description: 'Scales.', members: [{ value: 'eu' }, { value: 'us' }] },
    ])
    expect(JSON.stringify(body)).not.toContain('secret')
  })

  it.each<[string, object, string, unknown]>([
    [
      'an argument of the selector’s name',
      { tools: [{ name: 'odd' }] },
      'fleets.0.tools.0',
      'the tool "odd" has an argument "cluster" of its own',
    ],
    ['a member twice', { members: [FLEET.members[0], FLEET.members[0]] }, 'fleets.0.members', ''],
    ['no member', { members: [] }, 'fleets.0.members', ''],
    ['a selector that is no name', { selector: '__proto__' }, 'fleets.0.selector', ''],
    ['a value of several lines', { members: [{ value: 'a\nb', server: 'k8s-eu' }] }, 'fleets', ''],
    ['no tools', { tools: [] }, 'fleets.0.tools', ''],
    [
      'a tool that a member lacks',
      { tools: [{ name: 'nothing' }] },
      'fleets.0.tools.0',
      'is not offered by a server that you may use',
    ],
    [
      'a name that cannot be used',
      { tools: [{ name: 'scale' }, { name: 'logs', as: 'scale' }] },
      'fleets.0.tools.1.as',
      'must be a name that no other has',
    ],
    ['an unknown member', { tols: [] }, 'fleets.0', ''],
  ])('is refused for %s', async (_what, change, path, message) => {
    const refused = await create(input(change))
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
    const [first] = refused.body['problems'] as { path: string; message: string }[]
    expect(first?.path).toContain(path)
    if (message !== '') expect(first?.message).toBe(message)
  })

  it.each(['allOf', '$ref', 'patternProperties'])(
    'is refused for a schema with %s',
    async (word) => {
      await redefine(gateway, 'k8s-eu', [tool('scale', {}, { [word]: {} })])
      expect(await create(input())).toMatchObject(
        problem(
          'fleets.0.tools.0',
          `the schema of the tool "scale" has ${word}: no argument can be added to it`,
        ),
      )
    },
  )

  it('is not pinned anew to a tool that has an argument of the selector’s name', async () => {
    await create(input())
    await redefine(gateway, 'k8s-eu', [tool('scale', { cluster: {} })])
    expect(await gateway.send('admins', 'POST', `${AT}/repin`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_params', problems: [{ path: 'fleets' }] },
    })
    // What is held back hinders nothing else.
    expect((await gateway.send('admins', 'PUT', AT, input())).status).toBe(200)
  })

  it('is bounded', async () => {
    const members = Array.from({ length: 101 }, (_, index) => ({
      value: String(index),
      server: `s-${index}`,
    }))
    expect(await create(input({ members }))).toMatchObject({ status: 400 })
    const many = Array.from({ length: 16 }, (_, index) => ({
      ...FLEET,
      members: members.slice(0, 100),
      tools: [{ name: `t${index}` }],
    }))
    expect(await create({ ...input(), fleets: many })).toMatchObject(
      problem('', 'must not hold more than 1500 items of fleets together'),
    )
  })
})

describe('who makes a fleet', () => {
  let actors: { readonly list: string[]; readonly grants: string[] }
  beforeAll(() => {
    actors = { list: ['all'], grants: ['k8s-eu'] }
  })

  it('gives nobody what is kept from himself', async () => {
    const actor = await actorUnder(gateway, {
      'UI-Scopes': { some: { list_service: actors.list, register_service: ['all'] } },
      group_mappings: { some: ['some'] },
      some: actors.grants.map((server) => ({ server, methods: ['*'], tools: ['*'] })),
    })
    const { createVirtualServer } = gateway.registry.verbs
    await expect(createVirtualServer(gateway.ctx, actor, input())).rejects.toMatchObject({
      code: 'invalid_params',
    })
    const shared = input({ tools: undefined })
    await expect(createVirtualServer(gateway.ctx, actor, shared)).rejects.toMatchObject({
      detail: {
        data: { problems: [{ message: 'its members share no tool that you may use' }] },
      },
    })
    const readOnly = await create(input(), 'readers')
    expect(readOnly).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })
})
