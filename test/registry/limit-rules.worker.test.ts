import { env } from 'cloudflare:workers'
import { drizzle } from 'drizzle-orm/d1'
import { beforeAll, describe, expect, it } from 'vitest'
import { TenantId } from '../../src/core/index.ts'
import { createLimitRuleRepository } from '../../src/registry/limit-rules/limit-rule-repository.ts'
import { changesOf, createGateway, generationOf, type TestGateway } from './gateway.ts'

const TENANT = 'registry-limits'
const OTHER = `${TENANT}-other`
const RULE = { name: 'reports', per: ['principal', 'tool'], limit: 10, window: 'minute' }
const FULL = {
  name: 'heavy tools',
  match: {
    principals: ['https://idp.example#1'],
    groups: ['analysts'],
    servers: ['warehouse'],
    tools: ['query_*'],
    methods: ['tools/call'],
  },
  per: ['tenant', 'key', 'server'],
  limit: 1_000,
  windowMs: 30_000,
  weight: 2.5,
  enabled: false,
}

let gateway: TestGateway
let id: string
const send = (method: string, path: string, body?: unknown, group = 'admins', tenant = TENANT) =>
  gateway.send(group, method, path, body, { tenant })

async function make(rule: object): Promise<string> {
  const made = await send('POST', '/limits', rule)
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  return String(made.body['id'])
}

beforeAll(async () => {
  gateway = createGateway(TENANT)
  id = await make(RULE)
})

describe('limit rules', () => {
  it('are made with their defaults, shown, listed by name, and named in the change log', async () => {
    const made = await send('POST', '/limits', FULL)
    expect(made.status).toBe(201)
    expect(made.headers.get('location')).toBe(`/limits/${made.body['id']}`)
    expect(made.body).toMatchObject({ ...FULL, createdAt: '2026-11-01T00:00:00.000Z' })
    const shown = await send('GET', `/limits/${id}`)
    expect(shown.body).toMatchObject({ ...RULE, id, match: {}, enabled: true })
    const { body } = await send('GET', '/limits')
    expect(body).toMatchObject({ rules: [{ name: 'heavy tools' }, { name: 'reports' }] })
    expect((await changesOf(TENANT)).at(-1)).toMatchObject({
      action: 'limit.create',
      target: made.body['id'],
      summary: JSON.stringify({ name: 'heavy tools', per: FULL.per, limit: 1_000 }),
    })
  })

  it('are replaced and changed; a new window takes the place of the old one', async () => {
    const rule = await make({ ...RULE, name: 'changing' })
    const replaced = await send('PUT', `/limits/${rule}`, { ...FULL, name: 'changing' })
    expect(replaced).toMatchObject({ status: 200, body: { id: rule, windowMs: 30_000 } })
    expect(replaced.body).not.toHaveProperty('window')
    gateway.state.now += 1
    const patched = await send('PATCH', `/limits/${rule}`, { window: 'month', limit: 5 })
    expect(patched).toMatchObject({ status: 200, body: { window: 'month', limit: 5, weight: 2.5 } })
    expect(patched.body).not.toHaveProperty('windowMs')
    expect((await changesOf(TENANT)).at(-1)).toMatchObject({
      action: 'limit.update',
      target: rule,
      summary: JSON.stringify({ name: 'changing', changed: ['limit', 'windowMs', 'window'] }),
    })
    expect((await send('GET', `/limits/${rule}`)).body).toMatchObject({ window: 'month' })
  })

  it('are changed by one of two who read the same and write within one millisecond', async () => {
    const rule = await make({ ...RULE, name: 'contested' })
    const repository = createLimitRuleRepository(drizzle(env.DB))
    const tenant = TenantId.parse(TENANT)
    const read = await repository.find(tenant, rule)
    if (!read) throw new Error('it was just made')
    const ctx = { clock: { now: () => read.updatedAt }, requestId: 'r' }
    const write = (limit: number) => {
      const { id: target, ...before } = read.rule
      const entry = { tenant, actor: 'a', action: 'limit.update', target, summary: {} } as const
      return repository.update(ctx, tenant, read, { ...before, limit }, entry)
    }
    expect(await write(1)).toBe(read.updatedAt + 1)
    await expect(write(2)).rejects.toMatchObject({ code: 'conflict' })
    expect((await send('GET', `/limits/${rule}`)).body).toMatchObject({ limit: 1 })
  })

  it('go with a row in the change log, and another generation each time', async () => {
    const rule = await make({ ...RULE, name: 'leaving' })
    const before = await generationOf(TENANT)
    expect((await send('DELETE', `/limits/${rule}`)).status).toBe(204)
    expect(await generationOf(TENANT)).toBe(before + 1)
    expect((await changesOf(TENANT)).at(-1)).toMatchObject({ action: 'limit.delete', target: rule })
    expect((await send('GET', `/limits/${rule}`)).status).toBe(404)
  })

  it('have names that are taken once', async () => {
    const again = await send('POST', '/limits', RULE)
    expect(again).toMatchObject({ status: 409, body: { code: 'conflict' } })
    const rule = await make({ ...RULE, name: 'second' })
    expect((await send('PATCH', `/limits/${rule}`, { name: 'reports' })).status).toBe(409)
    expect((await send('POST', '/limits', RULE, 'admins', OTHER)).status).toBe(201)
  })

  it('are at most 100 of a tenant, also for many who add at once', async () => {
    const tenant = `${TENANT}-many`
    const answers = await Promise.all(
      Array.from({ length: 110 }, (_, n) =>
        send('POST', '/limits', { ...RULE, name: `rule ${n}` }, 'admins', tenant),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(100)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(10)
  })

  it('reach the snapshot that calls read', async () => {
    const { snapshots } = gateway.registry
    const { limits } = await snapshots.tenant(gateway.ctx, gateway.tenant)
    expect(limits.targeted.map(({ name }) => name)).toContain('reports')
    expect(limits.targeted.map(({ name }) => name)).not.toContain('heavy tools')
  })

  it('say what is used, of the deployment too, and of no other tenant', async () => {
    const { body, status } = await send('GET', '/limits/usage')
    expect(status).toBe(200)
    expect(body).toEqual({ counters: [], isCut: false })
  })
})

const WRITES: readonly [string, string, unknown][] = [
  ['POST', '/limits', { ...RULE, name: 'new' }],
  ['PUT', '/limits/ID', { ...RULE, name: 'other' }],
  ['PATCH', '/limits/ID', { limit: 1 }],
  ['DELETE', '/limits/ID', undefined],
]
const ALL = [
  ...WRITES,
  ['GET', '/limits', undefined],
  ['GET', '/limits/ID', undefined],
  ['GET', '/limits/usage', undefined],
] as const

describe('who may not change the policy', () => {
  it.each(ALL)('%s %s is refused to owners, readers and strangers', async (method, path, body) => {
    const before = await changesOf(TENANT)
    for (const group of ['owners', 'readers', 'strangers']) {
      expect(await send(method, path.replace('ID', id), body, group)).toMatchObject({
        status: 403,
        body: { code: 'forbidden', permission: 'manage_policy' },
      })
    }
    expect(await changesOf(TENANT)).toEqual(before)
  })

  it.each(WRITES.slice(1))("%s %s finds no other tenant's rule", async (method, path, body) => {
    const answer = await send(method, path.replace('ID', id), body, 'admins', OTHER)
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect((await send('GET', `/limits/${id}`)).body).toMatchObject({ name: 'reports', limit: 10 })
  })
})

describe('bad input', () => {
  it.each([
    ['no name', { name: undefined }, 'name'],
    ['a name with a quote', { name: 'a"b' }, 'name'],
    ['a name of two lines', { name: 'a\nb' }, 'name'],
    ['a name that is too long', { name: 'x'.repeat(65) }, 'name'],
    ['an unknown member', { colour: 'red' }, ''],
    ['an id of its own', { id: 'x' }, ''],
    ['no dimension', { per: [] }, 'per'],
    ['a dimension twice', { per: ['tool', 'tool'] }, 'per'],
    ['an unknown dimension', { per: ['address'] }, 'per.0'],
    ['a limit of none', { limit: 0 }, 'limit'],
    ['half a permit', { limit: 1.5 }, 'limit'],
    ['a limit beyond counting', { limit: 1e12 }, 'limit'],
    ['no window', { window: undefined }, 'window'],
    ['two windows', { windowMs: 5_000 }, 'window'],
    ['an unknown window', { window: 'year' }, 'window'],
    ['a window that is too short', { window: undefined, windowMs: 999 }, 'windowMs'],
    ['a window that is too long', { window: undefined, windowMs: 86_400_001 }, 'windowMs'],
    ['no weight at all', { weight: 0 }, 'weight'],
    ['too many groups', { match: { groups: Array(101).fill('g') } }, 'match.groups'],
    ['an empty list', { match: { servers: [] } }, 'match.servers'],
    ['an unknown match', { match: { address: ['x'] } }, 'match'],
  ])('%s is refused, in its place', async (_what, part, path) => {
    const rule = { ...RULE, name: 'bad', ...part }
    for (const [method, at] of [
      ['POST', '/limits'],
      ['PUT', `/limits/${id}`],
    ] as const) {
      expect(await send(method, at, rule)).toMatchObject({
        status: 400,
        body: { code: 'invalid_params', problems: [{ path }] },
      })
    }
  })

  it.each([
    ['an empty patch', {}],
    ['two windows in a patch', { window: 'day', windowMs: 1_000 }],
    ['null', null],
    ['a list', []],
  ])('%s changes nothing', async (_what, patch) => {
    const answer = await send('PATCH', `/limits/${id}`, patch)
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_params' } })
  })

  it.each(['POST', 'PUT', 'PATCH'])(
    '%s refuses what is no JSON, too deep or too large',
    async (method) => {
      const path = method === 'POST' ? '/limits' : `/limits/${id}`
      expect(await send(method, path, '{"name":')).toMatchObject({ status: 400 })
      expect(await send(method, path, '['.repeat(100))).toMatchObject({ status: 400 })
      expect(await send(method, path, '{"limit":1,"limit":2}')).toMatchObject({ status: 400 })
      expect(await send(method, path, `"${'x'.repeat(1024 * 1024)}"`)).toMatchObject({
        status: 413,
        body: { code: 'body_too_large' },
      })
      const plain = await gateway.send('admins', method, path, 'x', { contentType: 'text/plain' })
      expect(plain.status).toBe(415)
    },
  )

  it('a query, and an id that is none, are refused', async () => {
    expect((await send('GET', '/limits?all=1')).status).toBe(400)
    expect((await send('GET', '/limits/usage?all=1')).status).toBe(400)
    for (const wrong of ['nothing', '%27%20or%201=1', 'x'.repeat(5_000)]) {
      expect((await send('GET', `/limits/${wrong}`)).status).toBe(404)
    }
  })
})
