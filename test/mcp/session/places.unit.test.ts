import { describe, expect, it } from 'vitest'
import { type CallContext, EndpointId, ServerId } from '../../../src/core/index.ts'
import { createPlaces, type SealedPlace } from '../../../src/mcp/session/places.ts'
import type { KnownSession, Place } from '../../../src/mcp/session/session-state.ts'
import type { GatewayEvent } from '../../../src/observability/index.ts'

const id = (digit: number) => `00000000-0000-4000-8000-00000000000${digit}`
const [ONE, TWO] = [EndpointId.parse(id(1)), EndpointId.parse(id(2))]
const sealed: SealedPlace = {
  key: 'session',
  server: ServerId.parse(id(3)),
  endpoint: ONE,
  upstreamId: 's1',
}
const there: Place = { endpoint: TWO, upstreamId: 's1' }

function isolate() {
  const behind: Promise<unknown>[] = []
  const events: GatewayEvent[] = []
  const world = { now: 1_000_000, asked: 0, isDown: false, known: { kind: 'none' } as KnownSession }
  const places = createPlaces({
    clock: { now: () => world.now },
    events: { emit: (event) => events.push(event) },
    object: () => ({
      async find() {
        world.asked += 1
        if (world.isDown) throw new Error('the object is away')
        return world.known
      },
    }),
    onEnded: () => new Error('ended'),
  })
  const ctx = {
    requestId: 'r',
    waitUntil: (work: Promise<unknown>) => behind.push(work),
  } as unknown as CallContext
  const moveTo = (place: Place) => {
    const session = { ...place, server: sealed.server, path: 'shop', version: '2025-11-25' }
    world.known = { kind: 'open', session } as KnownSession
  }
  return { world, places, ctx, events, moveTo, settle: () => Promise.all(behind.splice(0)) }
}

describe('the place of a session', () => {
  it('is what its id says until something else is learned', () => {
    const { places } = isolate()
    expect(places.of(sealed)).toMatchObject({ endpoint: ONE, upstreamId: 's1' })
    places.note(sealed, there)
    expect(places.of(sealed)).toMatchObject(there)
  })

  it('is asked of its object first by an isolate that has not seen it', async () => {
    const { places, ctx, moveTo, world } = isolate()
    moveTo(there)
    expect(await places.find(ctx, sealed)).toMatchObject(there)
    expect(world.asked).toBe(1)
  })

  it('is as known for 10 s, confirmed behind the call until 60 s, and before it afterwards', async () => {
    const { places, ctx, moveTo, world, settle } = isolate()
    places.note(sealed, sealed)
    moveTo(there)
    world.now += 9_999
    expect(places.find(ctx, sealed)).toMatchObject({ endpoint: ONE })
    expect(world.asked).toBe(0)
    world.now += 1
    expect(places.find(ctx, sealed)).toMatchObject({ endpoint: ONE })
    expect(places.find(ctx, sealed)).toMatchObject({ endpoint: ONE })
    expect(world.asked).toBe(1)
    await settle()
    expect(places.find(ctx, sealed)).toMatchObject(there)
    moveTo(sealed)
    world.now += 60_000
    expect(await places.find(ctx, sealed)).toMatchObject({ endpoint: ONE })
    expect(world.asked).toBe(2)
  })

  it('is gone when the session has ended', async () => {
    const { places, ctx, world } = isolate()
    world.known = { kind: 'ended' }
    await expect(places.find(ctx, sealed)).rejects.toThrow('ended')
  })

  it('stays what it was while the object is away, which is said', async () => {
    const { places, ctx, world, events } = isolate()
    places.note(sealed, there)
    world.isDown = true
    world.now += 60_000
    expect(await places.find(ctx, sealed)).toMatchObject(there)
    expect(events).toMatchObject([{ type: 'fault', where: 'session.places' }])
    world.now += 1
    expect(places.find(ctx, sealed)).toMatchObject(there)
    expect(world.asked).toBe(1)
  })
})
