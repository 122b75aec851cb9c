import { expect } from 'vitest'
import {
  EndpointId,
  type OutboundFault,
  type OutboundRequest,
  type OutboundResult,
} from '../../../src/core/index.ts'
import { createPlaces } from '../../../src/mcp/upstream/choose-place.ts'
import { createUpstreams, type UpstreamCall } from '../../../src/mcp/upstream/send.ts'
import { DEFAULT_SENDING, type SendDefaults } from '../../../src/mcp/upstream/send-policy.ts'
import type { ServerRecord } from '../../../src/registry/index.ts'
import {
  type Breakers,
  createBulkhead,
  createLoad,
  type ResilienceSettings,
} from '../../../src/resilience/index.ts'

/** The endpoints of every server here, in order. */
export const [A, B] = ['1', '2'].map((digit) =>
  EndpointId.parse(`00000000-0000-4000-8000-00000000000${digit}`),
) as [EndpointId, EndpointId]

/** A server of these hosts. */
export const serverWith = (resilience: ResilienceSettings, urls = ['a', 'b'], path = 'shop') =>
  ({
    ...{ id: `${path}-id`, tenant: 'acme', path, resilience, timeoutMs: 1_000, headers: [] },
    endpoints: [A, B]
      .slice(0, urls.length)
      .map((id, at) => ({ id, url: `https://${urls[at]}/`, weight: 1, health: 'healthy' })),
  }) as unknown as ServerRecord

export const ok = (text = 'ok'): OutboundResult => ({
  kind: 'response',
  response: new Response(text),
})
export const refused = (status: number, headers: Record<string, string> = {}): OutboundResult => ({
  kind: 'response',
  response: new Response('no', { status, headers }),
})
export const fault = (kind: OutboundFault): OutboundResult => ({
  kind: 'fault',
  fault: kind,
  message: '',
})

/** Upstreams that answer when the test says so, or when they are aborted. */
export function world(
  sending: Partial<SendDefaults> = {},
  others = { inFlight: 0 },
  more: object = {},
) {
  const open: { host: string; signal: AbortSignal; answer: (result: OutboundResult) => void }[] = []
  const learned: string[] = []
  const behind: Promise<unknown>[] = []
  const openBreakers = new Set<EndpointId>()
  /** Their one probe is out. */
  const halfOpen = new Set<EndpointId>()
  const peeked: EndpointId[] = []
  const load = createLoad({
    events: { emit: () => undefined },
    object: () => ({ load: async () => ({ ...others }) }),
  })
  const breakers: Breakers = {
    peek(endpoint) {
      peeked.push(endpoint)
      return openBreakers.has(endpoint) ? 'open' : 'closed'
    },
    admitsAtOnce: (endpoint) => !halfOpen.has(endpoint) && breakers.peek(endpoint, 0) === 'closed',
    admit: async (_ctx, endpoint) =>
      openBreakers.has(endpoint) || halfOpen.has(endpoint)
        ? { kind: 'open', retryAfterSeconds: 9 }
        : { kind: 'closed' },
    record: (_ctx, endpoint, outcome) => learned.push(`${endpoint.slice(-1)} ${outcome}`),
    of: () => breakers,
    phase: async () => 'closed',
  }
  const outbound = {
    send: ({ url, signal = new AbortController().signal }: OutboundRequest) =>
      new Promise<OutboundResult>((resolve) => {
        const { host } = new URL(url)
        open.push({ host, signal, answer: resolve })
        signal.addEventListener('abort', () => resolve(fault('cancelled')))
      }),
  }
  const upstreams = createUpstreams({
    ...{ outbound, breakers, load, ...more },
    sending: { ...DEFAULT_SENDING, ...sending },
  })
  const clock = { at: 1_000_000 }
  function call(server: ServerRecord, part: Partial<UpstreamCall> = {}, principal = 'ann') {
    const leaving = new AbortController()
    const ctx = {
      requestId: 'r',
      clock: { now: () => clock.at },
      random: { fraction: () => 0, uuid: () => '', bytes: () => new Uint8Array() },
      caller: leaving,
      facts: { principal } as Record<string, unknown>,
      waitUntil: (work: Promise<unknown>) => void behind.push(work),
      holdEvent: () => () => undefined,
    }
    const message = { method: 'POST' as const, headers: new Headers(), body: '{}' }
    const sent = upstreams.send(ctx as never, {
      ...{ server, ...message, canRetry: false, isJudged: true },
      ...part,
    })
    // A test that refuses looks at it later.
    sent.catch(() => undefined)
    return { sent, leave: () => leaving.abort(), ctx }
  }
  const sent = (count: number) => expect.poll(() => open.length, { interval: 1 }).toBe(count)
  const places = createPlaces({
    ...{ tenants: createBulkhead(), breakers, load },
    defaults: DEFAULT_SENDING,
  })
  return {
    places,
    halfOpen,
    open,
    learned,
    behind,
    load,
    clock,
    call,
    sent,
    openBreakers,
    peeked,
    upstreams,
  }
}
