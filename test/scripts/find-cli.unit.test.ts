import { afterAll, beforeAll, expect, it } from 'vitest'
import { type NotingGateway, startNotingGateway } from '../support/cli.ts'

const offering = (server: string) => ({
  server,
  as: `${server}__search`,
  score: 96,
  reason: 'score',
  health: 'healthy',
  breaker: 'closed',
  latencyMs: 12,
})
const FOUND = {
  tools: [
    {
      name: 'search',
      definition: 'd',
      servers: [offering('a')],
      others: [{ ...offering('b'), breaker: 'half_open' }],
    },
  ],
  nextCursor: 'more',
}

let gateway: NotingGateway

beforeAll(async () => {
  gateway = await startNotingGateway((_method, url) =>
    url.includes('/tools?') ? FOUND : { resources: [] },
  )
})
afterAll(() => gateway.stop())

const find = async (...args: string[]) => (await gateway.run('find', ...args)).stdout

it('finds a tool and shows who has it, best first', async () => {
  const shown = await find('tool', 'search', '--tag', 'fast & good')
  expect(gateway.seen.pop()).toEqual([
    'GET',
    '/api/v1/discovery/tools?name=search&tag=fast+%26+good',
    undefined,
  ])
  expect(shown).toMatch(/search\s+a\s+96\s+score\s+healthy\s+12\s+a__search/)
  expect(shown).toMatch(/search\s+b\s+96\s+other definition\s+healthy, breaker half open/)
  expect(shown).toContain('more: --cursor more')
})

it('finds resources, and says that nobody has one', async () => {
  expect(await find('resource', 'file:///a')).toContain('no server has it')
  expect(gateway.seen.pop()).toEqual([
    'GET',
    '/api/v1/discovery/resources?uri=file%3A%2F%2F%2Fa',
    undefined,
  ])
})
