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
    more: { eras?: 'legacy' | 'modern'; method?: 'GET'; isInSession?: true } = {},
    endpoint = A,
  ) =>
    recheck(ctx, endpoint, {
      server: { upstream: { eras: more.eras ?? 'legacy' } as never },
      method: more.method ?? 'POST',
      isInSession: more.isInSession ?? false,
      status,
    })
  return { refuse, probed, events, behind, pass: (ms: number) => (now += ms) }
}

describe('a call that was refused as if it spoke another transport', () => {
  it('has its endpoint probed, once a minute', () => {
    const { refuse, probed, pass } = setUp()
    refuse(404)
    refuse(405)
    refuse(405, {}, B)
    expect(probed).toEqual([A, B])
    pass(60_000)
    refuse(405)
    expect(probed).toEqual([A, B, A])
  })

  it.each([
    ['an answer', 200, {}],
    ['a mistake of the client', 400, {}],
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
