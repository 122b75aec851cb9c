import { describe, expect, it } from 'vitest'
import {
  createSealer,
  type Principal,
  ServerId,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { createEventIds } from '../../../src/mcp/session/event-ids.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const SESSION = '00000000-0000-4000-8000-000000000001'

const ann = { tenant: TenantId.parse('one'), key: 'https://issuer#a' } as Principal
const bob: Principal = { ...ann, key: 'https://issuer#b' }
const other: Principal = { ...ann, tenant: TenantId.parse('two') }

const stream = {
  session: SESSION,
  server: ServerId.parse('00000000-0000-4000-8000-000000000002'),
  request: { method: 'tools/call', clientId: '"ü"', upstreamId: '"up"' },
}

function start() {
  let now = 0
  const clock = { now: () => now }
  const sealer = createSealer(['a secret of at least thirty-two characters'], {
    clock,
    random: systemRandom,
  })
  const eventIds = createEventIds({ sealer, clock })
  const sealed = eventIds.sealer(ann, 'shop', stream)?.('their event') ?? Promise.resolve('')
  return {
    eventIds,
    sealed,
    advance: (ms: number) => {
      now += ms
    },
  }
}

describe('an event id', () => {
  // req: event-id-names-stream
  it('says where a stream goes on, to whom it was given', async () => {
    const { eventIds, sealed, advance } = start()
    advance(DAY_MS - 1)
    const point = await eventIds.open(ann, 'shop', SESSION, await sealed)
    expect(point).toEqual({ ...stream, eventId: 'their event' })
    expect(await sealed).toMatch(/^[\w.-]+$/)
  })

  // req: resume-bound-to-principal
  // req: resume-bound-to-stream
  // req: resume-unknown-event
  it.each<[string, Principal, string, string, (id: string) => string, number]>([
    ['of another user', bob, 'shop', SESSION, (id) => id, 0],
    ['of another tenant', other, 'shop', SESSION, (id) => id, 0],
    ['of another endpoint', ann, 'mcp', SESSION, (id) => id, 0],
    ['of another session', ann, 'shop', '', (id) => id, 0],
    ['made up', ann, 'shop', SESSION, () => 'made-up', 0],
    ['empty', ann, 'shop', SESSION, () => '', 0],
    ['cut', ann, 'shop', SESSION, (id) => id.slice(0, -4), 0],
    ['a day old', ann, 'shop', SESSION, (id) => id, DAY_MS],
  ])('that is %s is unknown, in the same words', async (_what, who, path, session, change, age) => {
    const { eventIds, sealed, advance } = start()
    const id = change(await sealed)
    advance(age)
    await expect(eventIds.open(who, path, session, id)).rejects.toMatchObject({
      code: 'unknown_event',
      message: 'There is no such event in this session.',
    })
  })

  it('is not given out where it would not fit a header', () => {
    const { eventIds } = start()
    const request = { ...stream.request, clientId: `"${'x'.repeat(255)}"` }
    expect(eventIds.sealer(ann, 'shop', { ...stream, request })).toBeUndefined()
  })
})
