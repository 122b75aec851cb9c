import { describe, expect, it } from 'vitest'
import { type CallContext, ServerId } from '../../../src/core/index.ts'
import type { Outgoing } from '../../../src/mcp/relay/outgoing.ts'
import { createInFlight } from '../../../src/mcp/session/in-flight.ts'
import { hearQuestions, wasAsked } from '../../../src/mcp/session/questions.ts'
import type { RunningCall } from '../../../src/mcp/session/session-state.ts'

const SERVER = ServerId.parse('00000000-0000-4000-8000-000000000001')
const OTHER = ServerId.parse('00000000-0000-4000-8000-000000000002')
const names = {
  uri: (original: string) => original,
  serverRequestId: (raw: string) => `"s:${raw}"`,
  progressToken: (raw: string) => `"s:${raw}"`,
}

/** A request of the shared session `key`; `change` overrides. */
const outgoing = (change: object = {}) =>
  ({
    inbound: { era: 'legacy' },
    target: {
      actor: { principal: { key: 'p' } },
      server: { id: SERVER, upstream: { eras: 'legacy' } },
    },
    shared: { path: 'all', names, session: { key: 'key' } },
    ...change,
  }) as unknown as Outgoing

function isolate() {
  const stored: RunningCall[] = []
  const ctx = { waitUntil: () => undefined } as unknown as CallContext
  const inFlight = createInFlight({
    clock: { now: () => 0 },
    object: () => ({
      noteCalls: async () => undefined,
      findCall: async (clientId) => stored.find((one) => one.clientId === clientId),
    }),
  })
  const where = { scope: 'key', session: 'key', server: SERVER }
  return { ctx, inFlight, where }
}

describe('questions of a server without sessions', () => {
  it('were asked as they are spelled or not, until the request is over', async () => {
    const { ctx, inFlight, where } = isolate()
    const heard = hearQuestions(ctx, inFlight, outgoing(), '"up"')
    expect(heard.outgoing.shared?.names.serverRequestId('7.0')).toBe('"s:7.0"')
    expect(heard.outgoing.shared?.names.progressToken('"\\u00fc"')).toBe('"s:"\\u00fc""')
    expect(await wasAsked(inFlight, where, 'id', '7')).toBe(true)
    expect(await wasAsked(inFlight, where, 'token', '"ü"')).toBe(true)
    heard.forget()
    expect(await wasAsked(inFlight, where, 'id', '7')).toBe(false)
  })

  it('were not asked elsewhere, by others, or as something else', async () => {
    const { ctx, inFlight, where } = isolate()
    hearQuestions(ctx, inFlight, outgoing(), '"up"').outgoing.shared?.names.serverRequestId('7')
    const elsewhere = { ...where, scope: 'other', session: 'other' }
    expect(await wasAsked(inFlight, elsewhere, 'id', '7')).toBe(false)
    expect(await wasAsked(inFlight, { ...where, server: OTHER }, 'id', '7')).toBe(false)
    expect(await wasAsked(inFlight, where, 'token', '7')).toBe(false)
    expect(await wasAsked(inFlight, where, 'id', '"7"')).toBe(false)
    // A cancel that spells such an id finds no request.
    expect(await inFlight.find(where, 7)).toBeUndefined()
  })

  it('are noted a hundred times for one request', async () => {
    const { ctx, inFlight, where } = isolate()
    const { shared } = hearQuestions(ctx, inFlight, outgoing(), '"up"').outgoing
    for (let id = 0; id <= 100; id += 1) shared?.names.serverRequestId(String(id))
    expect(await wasAsked(inFlight, where, 'id', '99')).toBe(true)
    expect(await wasAsked(inFlight, where, 'id', '100')).toBe(false)
  })

  it.each<[string, object]>([
    ['in a session', { session: { key: 'key' } }],
    ['of the modern era', { inbound: { era: 'modern' } }],
    ['at an endpoint of its own', { shared: undefined }],
  ])('are nothing to note of a request %s', (_what, change) => {
    const { ctx, inFlight } = isolate()
    const request = outgoing(change)
    expect(hearQuestions(ctx, inFlight, request, '"up"').outgoing).toBe(request)
  })
})
