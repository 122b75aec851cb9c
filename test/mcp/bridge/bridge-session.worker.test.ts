import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { ServerId, ServerPath } from '../../../src/core/index.ts'
import { ask, ENDPOINT, TENANT, URL_OF_SERVER, world } from './bridge-world.ts'

const SERVER = ServerId.parse('00000000-0000-4000-8000-000000000001')

describe('the session at a legacy server', () => {
  const open = (one: ReturnType<typeof world>['one'], goneId?: string) =>
    one.run((object) =>
      object.session(
        { tenant: TENANT, server: SERVER },
        {
          ...{ server: ServerPath.parse('old'), endpoint: ENDPOINT, transport: 'streamable-http' },
          ...{ url: URL_OF_SERVER, custom: [['x-key', 'k']], timeoutMs: 1_000, hasLogging: false },
          hello: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c' } },
        },
        goneId,
      ),
    )

  it('is opened once for all who ask, and again when the server forgot it', async () => {
    const { one, posted } = world()
    const [first, second] = await Promise.all([open(one), open(one)])
    expect(first).toMatchObject({ kind: 'open', session: { upstreamId: 'upstream-1' } })
    expect([first.outcome, second.outcome].sort()).toEqual(['success', undefined])
    one.evict()
    expect(await open(one)).toMatchObject({ session: { upstreamId: 'upstream-1' } })
    const again = await open(one, 'upstream-1')
    expect(again).toMatchObject({ kind: 'open', outcome: 'success' })
    expect(posted.filter(({ method }) => method === 'initialize')).toHaveLength(2)
  })

  it('is closed after two hours without use', async () => {
    const { one, closed, clock } = world()
    await open(one)
    clock.at += 60 * 60_000
    await one.run((object) => object.touch())
    clock.at += 90 * 60_000
    await one.alarm()
    expect(closed).toEqual([])
    // What it stores is enough, whoever it was put away by.
    one.evict()
    await one.run((object) => object.touch())
    clock.at += 2 * 60 * 60_000
    await one.alarm()
    expect(closed).toMatchObject([{ tenant: TENANT, session: { upstreamId: 'upstream-1' } }])
    expect(await one.isEmpty()).toBe(true)
  })

  it('has an alarm while anything is held', async () => {
    const { one, stream, clock } = world()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    expect(await runInDurableObject(one.stub, (_one, state) => state.storage.getAlarm())).toBe(
      clock.at + 30_000,
    )
    expect(await runDurableObjectAlarm(one.stub)).toBe(true)
  })
})
