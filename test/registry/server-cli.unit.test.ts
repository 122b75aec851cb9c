import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NotingGateway, startNotingGateway } from '../support/cli.ts'

const AT = '/api/v1/servers/clock'
const SERVER = {
  ...{ path: 'clock', name: 'Clock', description: '', enabled: true, health: 'healthy', tags: [] },
  discovered: { tools: 2, resources: 1, resourceTemplates: 3, prompts: 0 },
  resilience: {},
  endpoints: [{ id: 'e1', url: 'https://clock.example/mcp', health: 'healthy' }],
}
const HEALTH = {
  path: 'clock',
  endpoints: [
    {
      ...{ id: 'e1', health: 'healthy', breaker: 'half_open', consecutiveFailures: 0 },
      ...{ lastLatencyMs: 12, lastProbedAt: '2026-11-21T10:00:00.000Z', lastError: null },
    },
  ],
}
/** What PATCH made of it, and what it had before. */
let changed: object = {}
let resilience: object = {}
let gateway: NotingGateway

beforeAll(async () => {
  gateway = await startNotingGateway((method, url) => {
    if (url.startsWith(`/api/v1/servers/fleet`) || url.endsWith('/none')) return undefined
    if (url.endsWith('/health')) return HEALTH
    return { ...SERVER, resilience, ...(method === 'PATCH' ? changed : {}) }
  })
})
afterAll(() => gateway.stop())
beforeEach(() => {
  gateway.seen.length = 0
  resilience = {}
})

describe('gatehouse server', () => {
  it('shows a server', async () => {
    expect(await gateway.run('server', 'show', 'clock')).toEqual({
      code: 0,
      stdout:
        'clock: Clock\nenabled, healthy, 2 tools, 1 resource, 3 resource templates\n' +
        '  https://clock.example/mcp (healthy)\n',
      stderr: '',
    })
  })

  it('shows what the checks found, and whether calls are sent', async () => {
    const { code, stdout } = await gateway.run('server', 'health', 'clock')
    expect([code, stdout]).toEqual([
      0,
      'endpoint                   breaker    health   failed checks  ms  last check                last error\n' +
        'https://clock.example/mcp  half open  healthy  0              12  2026-11-21T10:00:00.000Z\n',
    ])
    const { stdout: json } = await gateway.run('--json', 'server', 'health', 'clock')
    expect(JSON.parse(json)).toEqual(HEALTH)
  })

  it.each([
    ['health', 'fleet'],
    ['show', 'fleet'],
    ['set', 'fleet', '--balancer', 'random'],
  ])('says of what is made of other servers where to look (%s)', async (...args) => {
    const { code, stderr } = await gateway.run('server', ...args)
    expect([code, stderr]).toEqual([
      1,
      'error: "fleet" is made of items of other servers.\n' +
        'fix: gatehouse virtual show fleet names them; ask for one of those.\n',
    ])
    const missing = await gateway.run('server', 'show', 'none')
    expect([missing.code, missing.stderr]).toEqual([1, expect.not.stringContaining('virtual')])
  })

  it('says how calls are spread once that was chosen, and changes nothing else', async () => {
    const balanced = { balancer: 'consistent-hash', hashBy: { header: 'x-user' } }
    changed = { resilience: balanced }
    const chosen = ['--balancer', 'consistent-hash', '--hash-by', 'header:x-user']
    const { code, stdout } = await gateway.run('server', 'set', 'clock', ...chosen)
    expect([code, stdout.split('\n').at(-2)]).toEqual([
      0,
      '  balanced by consistent-hash, by the header x-user',
    ])
    expect(gateway.seen.at(-1)).toEqual(['PATCH', AT, { resilience: balanced }])
  })

  it('takes other settings from a file, and takes back what is null there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-cli-'))
    const file = join(folder, 'calm.yml')
    await writeFile(file, 'deadlineMs: 5000\nhedgeAfterMs: null\nbulkhead: {maxQueued: null}\n')
    resilience = {
      ...{ hedgeAfterMs: 100, balancer: 'weighted' },
      bulkhead: { maxConcurrent: 10, maxQueued: 3 },
    }
    const bulkhead = { maxConcurrent: 10 }
    changed = { resilience: { balancer: 'random', bulkhead, deadlineMs: 5_000 } }
    const args = ['--resilience', file, '--balancer', 'random']
    const { code, stdout } = await gateway.run('server', 'set', 'clock', ...args)
    expect([code, stdout.split('\n').slice(-4)]).toEqual([
      0,
      ['  balanced by random', '  deadlineMs: 5000', '  bulkhead: {"maxConcurrent":10}', ''],
    ])
    expect(gateway.seen.at(-1)).toEqual(['PATCH', AT, changed])
    await writeFile(file, '{}')
    expect(await gateway.run('server', 'set', 'clock', '--resilience', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('sets nothing'),
    })
    await writeFile(file, '[]')
    expect(await gateway.run('server', 'set', 'clock', '--resilience', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no object'),
    })
    await rm(folder, { recursive: true })
  })

  it('registers endpoints with their weights, and whom to believe', async () => {
    const [one, two] = ['https://one.example/mcp', 'https://two.example/mcp']
    const add = ['server', 'add', 'clock', '--endpoint', one, two]
    const more = ['--weight', '3', '--trust-annotations', '--timeout-ms', '2000']
    expect(await gateway.run(...add, ...more)).toMatchObject({ code: 0 })
    expect(gateway.seen.at(-1)).toMatchObject([
      'POST',
      '/api/v1/servers',
      {
        endpoints: [{ url: one, weight: 3 }, { url: two }],
        trustAnnotations: true,
        timeoutMs: 2_000,
      },
    ])
    const heavy = { ...SERVER.endpoints[0], weight: 3 }
    changed = { trustAnnotations: true, timeoutMs: 2_000, endpoints: [heavy] }
    const { stdout } = await gateway.run('server', 'set', 'clock', '--no-trust-annotations')
    expect(gateway.seen.at(-1)).toEqual(['PATCH', AT, { trustAnnotations: false }])
    expect(stdout.split('\n').slice(2)).toEqual([
      '  https://clock.example/mcp (healthy, weight 3)',
      '  may be silent for 2000 ms',
      '  its tools are believed',
      '',
    ])
    expect(await gateway.run(...add, '--weight', '1', '2', '3')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('more weights than endpoints'),
    })
    expect(await gateway.run(...add, '--weight', 'heavy')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('must be a whole number'),
    })
    expect(await gateway.run('server', 'set', 'clock')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nothing to set'),
    })
  })

  it('says that one which never answered offers nothing yet', async () => {
    changed = { health: 'unhealthy', discovered: { tools: 0 }, endpoints: [] }
    const { stdout } = await gateway.run('server', 'set', 'clock', '--balancer', 'random')
    expect(stdout).toBe('clock: Clock\nenabled, unhealthy, offers nothing yet\n')
  })
})
