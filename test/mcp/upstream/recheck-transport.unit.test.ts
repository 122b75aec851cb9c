import { describe, expect, it } from 'vitest'
import { type CallContext, EndpointId } from '../../../src/core/index.ts'
import { createRecheckTransport } from '../../../src/mcp/upstream/recheck-transport.ts'

const [A, B] = ['1', '2'].map((digit) =>
  EndpointId.parse(`00000000-0000-4000-8000-00000000000${digit}`),
) as [EndpointId, EndpointId]

function setUp(probeSoon: () => Promise<void> = async () => undefined) {
  const probed: EndpointId[] = []
  const events: unknown[] = []
  const behind: Promise<unknown>[] = []
  let now = 0
  const ctx = {
    requestId: 'r',
    clock: { now: () => now },
    waitUntil: (work: Promise<unknown>) => behind.push(work),
  } as unknown as CallContext
  const recheck = createRecheckTransport({
    events: { emit: (event) => events.push(event) },
    probeSoon: (endpoint) => {
      probed.push(endpoint)
      return probeSoon()
    },
  })
  const refuse = (
    status: number,
    more: {
      eras?: 'legacy' | 'modern' | 'dual'
      method?: 'GET'
      isInSession?: true
      isHandshake?: true
      isOfAnotherEra?: true
    } = {},
    endpoint = A,
  ) =>
    recheck(ctx, endpoint, {
      server: { upstream: { eras: more.eras ?? 'legacy' } as never },
      method: more.method ?? 'POST',
      isInSession: more.isInSession ?? false,
      status,
      ...(more.isHandshake ? { isHandshake: true } : {}),
      ...(more.isOfAnotherEra ? { isOfAnotherEra: true } : {}),
    })
  return { refuse, probed, events, behind, pass: (ms: number) => (now += ms) }
}

describe('a call that was refused as if its server spoke another transport or era', () => {
  it('has its endpoint probed, once in 30 s', () => {
    const { refuse, probed, pass } = setUp()
    refuse(404)
    refuse(405)
    refuse(405, {}, B)
    expect(probed).toEqual([A, B])
    pass(29_999)
    refuse(405)
    expect(probed).toEqual([A, B])
    pass(1)
    refuse(405)
    expect(probed).toEqual([A, B, A])
  })

  it.each([
    ['says that it is of another era', { eras: 'modern', isOfAnotherEra: true }],
    ['says so in a session', { isInSession: true, isOfAnotherEra: true }],
    ['is a handshake that a legacy server refuses', { isHandshake: true }],
    ['is a handshake that one of both eras refuses', { eras: 'dual', isHandshake: true }],
  ] as const)('has its endpoint probed when it %s with HTTP 400', (_what, more) => {
    const { refuse, probed } = setUp()
    refuse(400, more)
    expect(probed).toEqual([A])
  })

  it.each([
    ['an answer', 200, {}],
    ['a mistake of the client', 400, {}],
    ['a modern server without the handshake', 400, { eras: 'modern', isHandshake: true }],
    ['missing rights', 401, {}],
    ['a server that is down', 503, {}],
    ['a session that is gone', 404, { isInSession: true }],
    ['a method that a modern server does not know', 404, { eras: 'modern' }],
    ['a server without a stream', 405, { method: 'GET' }],
  ] as const)('is not %s', (_what, status, more) => {
    const { refuse, probed } = setUp()
    refuse(status, more)
    expect(probed).toEqual([])
  })

  it('leaves an event when nobody can be told', async () => {
    const { refuse, events, behind } = setUp(() => Promise.reject(new Error('away')))
    refuse(405)
    await Promise.all(behind)
    expect(events).toMatchObject([{ type: 'fault', where: 'recheck-transport' }])
  })
})
