import { describe, expect, it } from 'vitest'
import { ServerId } from '../../src/core/index.ts'
import {
  chooseEndpoint,
  createRotations,
  type EndpointBreakers,
} from '../../src/resilience/index.ts'
import { failureThreshold, one, openMs, two, world } from './breakers-world.ts'

const SERVER = ServerId.parse('00000000-0000-4000-8000-0000000000aa')

describe('chooseEndpoint', () => {
  const endpoints = [
    { id: one, weight: 1, health: 'healthy' },
    { id: two, weight: 1, health: 'healthy' },
  ] as const
  const plan = {
    load: { inFlight: () => 0, latencyMs: () => undefined },
    settings: { balancer: 'random' },
    server: SERVER,
    rotations: createRotations(),
  } as const
  const choose = (breakers: EndpointBreakers, ctx: Parameters<typeof chooseEndpoint>[0]) =>
    chooseEndpoint(ctx, { ...plan, breakers, endpoints })

  it('asks nobody and makes no promise while breakers are closed', () => {
    const { isolate, ctx, calls } = world()
    const breakers = isolate()
    const [only] = endpoints
    const choice = chooseEndpoint(ctx, { ...plan, breakers, endpoints: [only] })
    expect(choice).toEqual({ kind: 'endpoint', endpoint: only })
    expect(choose(breakers, ctx)).toEqual({ kind: 'endpoint', endpoint: only })
    expect(calls).toEqual([])
  })

  it('takes another endpoint when the half-open one has no probe left', async () => {
    const { isolate, ctx, fail, world: w } = world()
    const [first, second] = [isolate(), isolate()]
    await fail(first, failureThreshold)
    await fail(second, 1)
    expect(await choose(first, ctx)).toMatchObject({ endpoint: { id: two } })
    w.now += openMs
    expect(await choose(first, ctx)).toEqual({
      kind: 'endpoint',
      endpoint: endpoints[0],
      probe: { opening: 1, isSpent: false },
    })
    expect(await choose(second, ctx)).toEqual({ kind: 'endpoint', endpoint: endpoints[1] })
  })

  it('says how long until the first breaker lets a call through when all are open', async () => {
    const { isolate, ctx, fail, world: w } = world()
    const breakers = isolate()
    await fail(breakers, failureThreshold, one)
    w.now += 10_000
    await fail(breakers, failureThreshold, two)
    expect(await choose(breakers, ctx)).toEqual({ kind: 'unavailable', retryAfterSeconds: 20 })
  })

  it('has nothing to choose from an empty list', async () => {
    const { isolate, ctx } = world()
    const none = { ...plan, breakers: isolate(), endpoints: [] } as const
    expect(await chooseEndpoint(ctx, none)).toEqual({ kind: 'unavailable', retryAfterSeconds: 1 })
  })
})
