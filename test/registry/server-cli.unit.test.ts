import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NotingGateway, startNotingGateway } from '../support/cli.ts'

const AT = '/api/v1/servers/clock'
const SERVER = {
  ...{ path: 'clock', name: 'Clock', description: '', enabled: true, health: 'healthy', tags: [] },
  discovered: { tools: 2, prompts: 0 },
  resilience: {},
  endpoints: [{ url: 'https://clock.example/mcp', health: 'healthy' }],
}
/** What PATCH made of it. */
let changed: object = {}
let gateway: NotingGateway

beforeAll(async () => {
  gateway = await startNotingGateway((method) =>
    method === 'PATCH' ? { ...SERVER, ...changed } : SERVER,
  )
})
afterAll(() => gateway.stop())
beforeEach(() => {
  gateway.seen.length = 0
})

describe('gatehouse server', () => {
  it('shows a server', async () => {
    expect(await gateway.run('server', 'show', 'clock')).toEqual({
      code: 0,
      stdout: 'clock: Clock\nenabled, healthy, 2 tools\n  https://clock.example/mcp (healthy)\n',
      stderr: '',
    })
  })

  it('says how calls are spread once that was chosen, and changes nothing else', async () => {
    const resilience = { balancer: 'consistent-hash', hashBy: { header: 'x-user' } }
    changed = { resilience }
    const chosen = ['--balancer', 'consistent-hash', '--hash-by', 'header:x-user']
    const { code, stdout } = await gateway.run('server', 'set', 'clock', ...chosen)
    expect([code, stdout.split('\n').at(-2)]).toEqual([
      0,
      '  balanced by consistent-hash, by the header x-user',
    ])
    expect(gateway.seen.at(-1)).toEqual(['PATCH', AT, { resilience }])
  })

  it('says that one which never answered offers nothing yet', async () => {
    changed = { health: 'unhealthy', discovered: { tools: 0 }, endpoints: [] }
    const { stdout } = await gateway.run('server', 'set', 'clock', '--balancer', 'random')
    expect(stdout).toBe('clock: Clock\nenabled, unhealthy, offers nothing yet\n')
  })
})
