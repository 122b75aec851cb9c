import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { changesOf, createGateway, principalOf, SEED, type TestGateway, VALID } from './gateway.ts'

/** The real D1 until it is told to fail; counts what was asked of it. */
function fragile(d1: D1Database) {
  const state = { isBroken: false, reads: 0 }
  const proxy = new Proxy(d1, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...input: unknown[]) => {
        if (name === 'prepare') state.reads += 1
        if (state.isBroken) throw new Error('D1_ERROR: the database is away')
        return member.apply(target, input)
      }
    },
  })
  return { d1: proxy, state }
}

let suite = 0
let database: ReturnType<typeof fragile>
/** The isolate under test. */
let near: TestGateway
/** Another isolate, whose writes the first learns of by the generation alone. */
let far: TestGateway

beforeEach(async () => {
  suite += 1
  const tenant = `registry-snapshot-${suite}`
  far = createGateway(tenant)
  await far.send('admins', 'POST', '/servers', VALID)
  database = fragile(env.DB)
  near = createGateway(tenant, { d1: database.d1 })
  await lookUp()
  database.state.reads = 0
})

const snapshotOf = (gateway: TestGateway) =>
  gateway.registry.snapshots.tenant(gateway.ctx, gateway.tenant)
const lookUp = async () => (await snapshotOf(near)).server(near.ctx, 'clock')
const settle = () => Promise.all(near.behind.splice(0))
const toggle = () => far.send('admins', 'POST', '/servers/clock/toggle', { enabled: false })

describe('a snapshot', () => {
  it('younger than 3 s is used without asking D1', async () => {
    await toggle()
    near.state.now += 2999
    expect(await lookUp()).toMatchObject({ path: 'clock', enabled: true })
    expect(near.behind).toEqual([])
    expect(database.state.reads).toBe(0)
  })

  it('of 3 to 5 s is used, and confirmed once behind the calls', async () => {
    near.state.now += 3000
    for (let call = 0; call < 100; call += 1) await lookUp()
    expect(near.behind).toHaveLength(1)
    await settle()
    expect(database.state.reads).toBe(1)
    near.state.now += 2999
    await lookUp()
    expect(near.behind).toEqual([])
  })

  it('of 3 to 5 s shows a change of another isolate to the calls after the one that saw its age', async () => {
    await toggle()
    near.state.now += 3000
    expect(await lookUp()).toMatchObject({ enabled: true })
    await settle()
    expect(await lookUp()).toMatchObject({ enabled: false })
  })

  it('of 5 s is confirmed before it is used, and reloaded when it changed alone', async () => {
    near.state.now += 5000
    expect(await lookUp()).toMatchObject({ enabled: true })
    expect(database.state.reads).toBe(1)
    await toggle()
    near.state.now += 5000
    expect(await lookUp()).toMatchObject({ enabled: false })
    expect(near.behind).toEqual([])
  })

  it('shows a write of its own isolate at once', async () => {
    await near.send('admins', 'POST', '/servers/clock/toggle', { enabled: false })
    expect(await lookUp()).toMatchObject({ enabled: false })
  })

  it('is not brought back by a read that began before a write', async () => {
    near.state.now += 3000
    await lookUp()
    await near.send('admins', 'POST', '/servers/clock/toggle', { enabled: false })
    await settle()
    expect(await lookUp()).toMatchObject({ enabled: false })
  })

  it('remembers that a path is unknown until the tenant changes', async () => {
    const snapshot = await snapshotOf(near)
    expect(await snapshot.server(near.ctx, 'later')).toBeUndefined()
    database.state.reads = 0
    expect(await snapshot.server(near.ctx, 'later')).toBeUndefined()
    expect(database.state.reads).toBe(0)
    expect(await snapshot.server(near.ctx, 'Not a path')).toBeUndefined()
    await far.send('admins', 'POST', '/servers', { ...VALID, path: 'later' })
    near.state.now += 5000
    expect(await (await snapshotOf(near)).server(near.ctx, 'later')).toMatchObject({
      path: 'later',
    })
  })

  it('holds nothing of another tenant', async () => {
    const other = createGateway(`${near.tenant}-other`)
    const snapshot = await near.registry.snapshots.tenant(near.ctx, other.tenant)
    expect(await snapshot.server(near.ctx, 'clock')).toBeUndefined()
    expect(snapshot.generation).toBe(0)
  })

  it('forgets the tenants not confirmed for longest past 200', async () => {
    for (let index = 0; index < 200; index += 1) {
      const { tenant } = createGateway(`${near.tenant}-${index}`)
      await near.registry.snapshots.tenant(near.ctx, tenant)
    }
    database.state.isBroken = true
    await expect(snapshotOf(near)).rejects.toMatchObject({ code: 'policy_unavailable' })
  })
})

describe('when D1 fails', () => {
  beforeEach(() => {
    database.state.isBroken = true
  })

  it('serves the last snapshot for 60 s with an event, then refuses', async () => {
    near.state.now += 5000
    expect(await lookUp()).toMatchObject({ path: 'clock' })
    expect(near.events).toContainEqual({
      type: 'stale_policy',
      requestId: 'request-1',
      tenant: near.tenant,
      ageMs: 5000,
    })
    near.state.now += 54_999
    expect(await lookUp()).toMatchObject({ path: 'clock' })
    near.state.now += 1
    await expect(lookUp()).rejects.toMatchObject({
      code: 'policy_unavailable',
      message: 'The registry cannot be read at the moment.',
    })
  })

  it('tells of a confirmation that failed behind a call', async () => {
    near.state.now += 3000
    expect(await lookUp()).toMatchObject({ path: 'clock' })
    await settle()
    expect(near.events).toMatchObject([
      { type: 'fault', where: 'registry.snapshot', error: expect.stringContaining('away') },
    ])
  })

  it('recovers with the first read that succeeds', async () => {
    near.state.now += 70_000
    await expect(lookUp()).rejects.toMatchObject({ code: 'policy_unavailable' })
    database.state.isBroken = false
    expect(await lookUp()).toMatchObject({ path: 'clock' })
  })

  it('refuses at once without a snapshot, and for a server not yet read', async () => {
    const other = createGateway(`${near.tenant}-x`)
    const { snapshots } = near.registry
    await expect(snapshots.tenant(near.ctx, other.tenant)).rejects.toMatchObject({
      code: 'policy_unavailable',
    })
    const snapshot = await snapshotOf(near)
    await expect(snapshot.server(near.ctx, 'unread')).rejects.toMatchObject({
      code: 'policy_unavailable',
    })
  })

  it('answers a management write with 500 and stores nothing', async () => {
    const answer = await near.send('admins', 'PATCH', '/servers/clock', { name: 'x' })
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
    expect(JSON.stringify(answer.body)).not.toContain('D1')
    expect(await changesOf(near.tenant)).toHaveLength(1)
  })
})

describe('the actor', () => {
  it('has the rights of the stored policy, and none without one', async () => {
    const principal = await principalOf(near.tenant, 'readers')
    const { snapshots } = near.registry
    expect((await snapshots.actor(near.ctx, principal)).rights.scopes).toEqual([])
    await far.send('admins', 'PUT', '/policy', SEED)
    near.state.now += 5000
    const actor = await snapshots.actor(near.ctx, principal)
    expect(actor.rights.scopes).toEqual(['user'])
    expect(actor.principal).toBe(principal)
    expect((await snapshotOf(near)).rights(principal)).toBe(actor.rights)
  })
})
