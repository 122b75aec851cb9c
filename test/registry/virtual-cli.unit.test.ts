import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NotingGateway, startNotingGateway } from '../support/cli.ts'

const INPUT = { path: 'desk', name: 'Desk', tools: [{ server: 'books', name: 'buy' }] }
const DESK = {
  path: 'desk',
  name: 'Desk',
  enabled: true,
  tools: [{ server: 'books', name: 'buy', as: 'buy', contentHash: 'x', state: 'changed' }],
  prompts: [],
  resources: [{ server: 'books', uri: 'file:///a', contentHash: 'x', state: 'ok' }],
  resourceTemplates: [],
  fleets: [
    {
      name: 'scale',
      as: 'scale_it',
      selector: 'cluster',
      members: [{ value: 'eu', server: 'k8s-eu', state: 'ok' }],
    },
  ],
}
const PAGE = {
  virtualServers: [{ path: 'desk', name: 'Desk', enabled: false, items: { tools: 1, prompts: 2 } }],
  nextCursor: 'more',
}

let gateway: NotingGateway
let folder: string

const run = (...args: string[]) => gateway.run(...args)
const virtual = (...args: string[]) => gateway.run('virtual', ...args)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'virtual-cli-'))
  gateway = await startNotingGateway((method, url) =>
    method === 'GET' && url.includes('?') ? PAGE : DESK,
  )
})
afterAll(async () => {
  await gateway.stop()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  gateway.seen.length = 0
})

const AT = '/api/v1/virtual-servers'
const SHOWN = `desk: Desk
enabled
kind      server  item       as                     pin
tool      books   buy        buy                    changed
resource  books   file:///a                         ok
tool      k8s-eu  scale      scale_it (cluster=eu)  ok
`

describe('gatehouse fleet', () => {
  it('makes a virtual server of identical servers', async () => {
    const members = ['--member', 'eu=k8s-eu', 'a=b=k8s-us']
    const words = ['--tool', 'scale', 'logs', '--description', 'Which one.']
    const made = await run('fleet', 'add', 'desk', '--selector', 'cluster', ...members, ...words)
    expect(made).toEqual({ code: 0, stdout: 'made desk: its tools take "cluster"\n', stderr: '' })
    const fleet = {
      selector: 'cluster',
      members: [
        { value: 'eu', server: 'k8s-eu' },
        { value: 'a=b', server: 'k8s-us' },
      ],
      tools: [{ name: 'scale' }, { name: 'logs' }],
      description: 'Which one.',
    }
    expect(gateway.seen).toEqual([['POST', AT, { path: 'desk', name: 'desk', fleets: [fleet] }]])
  })

  it.each([
    [['--selector', 'cluster'], '--member'],
    [['--selector', 'cluster', '--member', 'k8s-eu'], '{value}={server}'],
  ])('exits 2 for %j, and asks nothing', async (args, says) => {
    const made = await run('fleet', 'add', 'desk', ...args)
    expect(made.code).toBe(2)
    expect(made.stderr).toContain(says)
    expect(gateway.seen).toEqual([])
  })
})

describe('gatehouse virtual', () => {
  it('adds one from a file and shows what came of it', async () => {
    const file = join(folder, 'desk.json')
    await writeFile(file, JSON.stringify(INPUT))
    expect(await virtual('add', file)).toEqual({ code: 0, stdout: SHOWN, stderr: '' })
    expect(gateway.seen).toEqual([['POST', AT, INPUT]])
  })

  it('lists them, a page at a time', async () => {
    const run = await virtual('list', '--cursor', 'c')
    expect(run.stdout).toBe(
      'path  name  state     items\ndesk  Desk  disabled  3\nmore: --cursor more\n',
    )
    expect(gateway.seen).toEqual([['GET', `${AT}?cursor=c`, undefined]])
  })

  it('shows and deletes one', async () => {
    expect((await virtual('show', 'desk')).stdout).toBe(SHOWN)
    expect((await virtual('delete', 'desk')).stdout).toBe('deleted desk\n')
    expect(gateway.seen).toEqual([
      ['GET', `${AT}/desk`, undefined],
      ['DELETE', `${AT}/desk`, undefined],
    ])
  })

  it('accepts all items, or those it is told', async () => {
    await virtual('repin', 'desk')
    await virtual('repin', 'desk', '--item', 'tool:books/buy', 'resource:books/file:///a')
    expect(gateway.seen).toEqual([
      ['POST', `${AT}/desk/repin`, {}],
      [
        'POST',
        `${AT}/desk/repin`,
        {
          items: [
            { kind: 'tool', server: 'books', key: 'buy' },
            { kind: 'resource', server: 'books', key: 'file:///a' },
          ],
        },
      ],
    ])
  })

  it.each([
    ['an item that is none', ['repin', 'desk', '--item', 'books/buy'], 'must be {tool|'],
    ['a file that is not there', ['add', 'nothing.json'], 'cannot read nothing.json'],
    ['no verb', [], 'Usage: gatehouse virtual'],
  ])('exits 2 for %s, and asks nothing', async (_what, args, says) => {
    const run = await virtual(...args)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain(says)
    expect(gateway.seen).toEqual([])
  })
})
