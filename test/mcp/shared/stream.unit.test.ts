import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EndpointId, GatewayError, ServerId, type TenantId } from '../../../src/core/index.ts'
import type { StreamRequest } from '../../../src/mcp/relay/relay-stream.ts'
import type { UpstreamSession } from '../../../src/mcp/session/session-state.ts'
import { createSharedStream, type SharedStreamDeps } from '../../../src/mcp/shared/stream.ts'
import { DEFAULT_STREAM_BOUNDS } from '../../../src/mcp/wire/stream-bounds.ts'
import { readEvents } from '../../support/event-reader.ts'

const ONE = ServerId.parse(crypto.randomUUID())
const ENDPOINT = EndpointId.parse(crypto.randomUUID())
const HOUR_MS = 3_600_000
const OTHER = ServerId.parse(crypto.randomUUID())
const LEFT = { server: ONE, eventId: 'left', session: 's' }

const change = <T extends object>(what: T, to: Partial<T>) => Object.assign(what, to)

/** A registry that the test changes, with one server and one virtual server over it. */
function world() {
  const server = {
    id: ONE,
    path: 'one',
    enabled: true,
    owner: 'o',
    visibility: 'public',
    allowedGroups: [],
    endpoints: [{ id: ENDPOINT }],
  }
  const virtual = {
    path: 'both',
    enabled: true,
    owner: 'o',
    visibility: 'public',
    allowedGroups: [],
    items: [{ server: 'one' }],
  }
  const state = { server, virtual, isGranted: true, isReadable: true }
  const rights = {
    isAdmin: false,
    grantsOf: () =>
      state.isGranted ? { methods: 'all', listed: 'all', callable: 'all' } : undefined,
  }
  const snapshot = {
    rights: () => rights,
    server: async () => state.server,
    endpoint: async (_ctx: unknown, path: string) =>
      path === 'one'
        ? { kind: 'server', server: state.server }
        : { kind: 'virtual', virtual: state.virtual },
  }
  const snapshots = {
    async tenant() {
      if (!state.isReadable) throw new GatewayError('policy_unavailable', 'no')
      return snapshot
    },
  }
  return { state, snapshots }
}

interface Options {
  readonly path?: string
  readonly headers?: Headers
  readonly opened?: () => Promise<readonly UpstreamSession[]>
  readonly relayStream?: (wanted: StreamRequest) => Promise<Response>
}

/** A shared stream over parts that stay open, and what became of everything that it holds. */
function start({ path = 'mcp', headers = new Headers(), ...options }: Options = {}) {
  const { state, snapshots } = world()
  const wanted: StreamRequest[] = []
  const events: unknown[] = []
  const facts: { outcome?: string } = {}
  let isClosed = false
  let isReleased = false
  const session = { kind: 'shared', key: crypto.randomUUID(), hello: {} }
  const socket = Object.assign(new EventTarget(), {
    close: () => {
      isClosed = true
    },
  })
  const one = { server: ONE, path: 'one', endpoint: ENDPOINT, upstreamId: 'u', version: 'v' }
  const deps = {
    events: { emit: (event: unknown) => events.push(event) },
    snapshots,
    eventIds: { open: async () => LEFT },
    sharedSessions: {
      watch: async () => socket,
      opened: options.opened ?? (async () => [one]),
      leg: async () => ({ session: undefined, version: '2025-11-25' }),
    },
    notices: {
      subscriptions: { follow: async () => ({ uris: [], stop: () => undefined }) },
      feed: async () => ({ readable: new ReadableStream(), stop: () => undefined }),
    },
    async relayStream(_ctx: unknown, request: StreamRequest) {
      wanted.push(request)
      return options.relayStream?.(request) ?? new Response(new ReadableStream())
    },
    bounds: DEFAULT_STREAM_BOUNDS,
  } as unknown as SharedStreamDeps
  const ctx = {
    requestId: 'r',
    facts,
    clock: { now: () => Date.now() },
    waitUntil: (work: Promise<unknown>) => void work,
    holdEvent: () => () => {
      isReleased = true
    },
  } as never
  const principal = {
    key: 'p',
    tenant: 't' as TenantId,
    groups: [],
    scopes: [],
    expiresAt: Date.now() + HOUR_MS,
  }
  const opening = createSharedStream(deps)(ctx, {
    path,
    principal,
    headers,
    session,
  } as never)
  const held = () => ({ timers: vi.getTimerCount(), isClosed, isReleased })
  return { state, opening, wanted, events, facts, held }
}

const NOTHING_HELD = { timers: 0, isClosed: true, isReleased: true }

describe('the stream of a shared endpoint', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('holds nothing when it could not be opened', async () => {
    const failing = start({ opened: () => Promise.reject(new Error('the object is away')) })
    await expect(failing.opening).rejects.toThrow('the object is away')
    expect(failing.held()).toEqual(NOTHING_HELD)
  })

  it('holds nothing when its client has left', async () => {
    const stream = start()
    await (await stream.opening).body?.cancel()
    await vi.advanceTimersByTimeAsync(0)
    expect(stream.held()).toEqual(NOTHING_HELD)
    expect(stream.facts.outcome).toBe('cancelled')
  })

  it.each<[string, (state: ReturnType<typeof world>['state']) => void, string]>([
    [
      'its virtual server is disabled',
      ({ virtual }) => change(virtual, { enabled: false }),
      'not_found',
    ],
    ['the policy takes it away', (state) => change(state, { isGranted: false }), 'not_found'],
    [
      'the policy cannot be known',
      (state) => change(state, { isReadable: false }),
      'policy_unavailable',
    ],
    ['the token expires', () => vi.setSystemTime(Date.now() + HOUR_MS), 'unauthenticated'],
  ])('ends when %s, at its next sign of life', async (_what, happen, outcome) => {
    const stream = start({ path: 'both' })
    const events = readEvents(await stream.opening)
    const first = events.next()
    await vi.advanceTimersByTimeAsync(25_000)
    expect(await first).toBe(': keep-alive')
    happen(stream.state)
    const next = events.next()
    await vi.advanceTimersByTimeAsync(25_000)
    expect(await next).toBeUndefined()
    expect(stream.held()).toEqual(NOTHING_HELD)
    expect(stream.facts.outcome).toBe(outcome)
  })

  it.each<[string, (state: ReturnType<typeof world>['state']) => void]>([
    ['disabled', ({ server }) => change(server, { enabled: false })],
    ['replaced by another', ({ server }) => change(server, { id: OTHER })],
    ['hidden', ({ server }) => change(server, { visibility: 'private' })],
    ['not part of the virtual server any more', ({ virtual }) => change(virtual, { items: [] })],
  ])('opens no stream of a server again that is %s', async (_what, happen) => {
    const relayStream = async () => new Response(new Blob([]).stream())
    const stream = start({ path: 'both', relayStream })
    await stream.opening
    await vi.advanceTimersByTimeAsync(0)
    expect(stream.wanted).toHaveLength(1)
    happen(stream.state)
    // What is open asks the same.
    await expect(stream.wanted[0]?.targetNow()).rejects.toMatchObject({ code: 'not_found' })
    await vi.advanceTimersByTimeAsync(20_000)
    expect(stream.wanted).toHaveLength(1)
    expect(stream.events).toEqual([])
    expect(stream.held().isClosed).toBe(false)
  })

  it('asks no more for the stream of a server that gives none', async () => {
    const relayStream = () => Promise.reject(new GatewayError('method_not_allowed', 'none'))
    const stream = start({ relayStream })
    await stream.opening
    await vi.advanceTimersByTimeAsync(HOUR_MS / 2)
    expect(stream.wanted).toHaveLength(1)
    expect(stream.events).toEqual([])
  })

  it('asks again for a stream that failed, where its client left it, and tells an event', async () => {
    let isDown = true
    const bodies: ReadableStreamDefaultController<Uint8Array>[] = []
    const relayStream = async () => {
      if (isDown) throw new GatewayError('upstream_failed', 'down')
      return new Response(new ReadableStream({ start: (body) => void bodies.push(body) }))
    }
    const stream = start({ relayStream, headers: new Headers({ 'last-event-id': 'sealed' }) })
    await stream.opening
    await vi.advanceTimersByTimeAsync(0)
    expect(stream.events).toMatchObject([{ type: 'fault', where: 'shared.stream' }])
    isDown = false
    await vi.advanceTimersByTimeAsync(5_000)
    bodies[0]?.close()
    await vi.advanceTimersByTimeAsync(HOUR_MS / 2)
    expect(stream.wanted.map(({ resume }) => resume)).toEqual([LEFT, LEFT, undefined])
  })
})
