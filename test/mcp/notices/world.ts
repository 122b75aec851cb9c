import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import {
  type CallContext,
  EndpointId,
  type Principal,
  ServerId,
  ServerPath,
  systemClock,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { createNotices } from '../../../src/mcp/notices/index.ts'
import type { ListenInbound } from '../../../src/mcp/notices/listen.ts'
import type { Change, Notice } from '../../../src/mcp/notices/notice.ts'
import { DEFAULT_STREAM_BOUNDS } from '../../../src/mcp/wire/stream-bounds.ts'

export const HOUR_MS = 3_600_000

export interface WorldSeams {
  /** In place of the client's SessionObject. */
  readonly session?: object
  /** Of the client's request. */
  readonly signal?: AbortSignal
}

/** One modern server that somebody may see as long as the test says so, and its notices. */
export function world(seams: WorldSeams = {}) {
  const tenant = TenantId.parse(`t-${crypto.randomUUID()}`)
  const state = { isGranted: true }
  const server = {
    id: ServerId.parse(crypto.randomUUID()),
    path: ServerPath.parse('one'),
    enabled: true,
    owner: 'o',
    visibility: 'public',
    allowedGroups: [],
    endpoints: [{ id: EndpointId.parse(crypto.randomUUID()) }],
    upstream: {
      eras: 'modern',
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
    },
  }
  const snapshot = {
    generation: 1,
    rights: () => ({
      isAdmin: false,
      grantsOf: () =>
        state.isGranted ? { methods: 'all', listed: 'all', callable: 'all' } : undefined,
    }),
    endpoint: async () => ({ kind: 'server', server }),
  }
  const snapshots = { tenant: async () => snapshot, confirmed: async () => snapshot }
  const notices = createNotices({
    taskIds: {} as never,
    snapshots: snapshots as never,
    eventsObject: (name) => env.EVENTS.getByName(name) as never,
    object: (key) => (seams.session ?? env.SESSIONS.getByName(key)) as never,
    clock: systemClock,
    bounds: DEFAULT_STREAM_BOUNDS,
    events: { emit: () => undefined },
  })
  const execution = createExecutionContext()
  const facts: CallContext['facts'] = {}
  const held = { events: 0 }
  const ctx: CallContext = {
    requestId: 'r',
    clock: systemClock,
    random: systemRandom,
    caller: { signal: seams.signal ?? new AbortController().signal },
    facts,
    waitUntil: (work) => execution.waitUntil(work),
    holdEvent() {
      held.events += 1
      return () => {
        held.events -= 1
      }
    },
  }
  const principal: Principal = {
    kind: 'user',
    ...{ issuer: 'i', subject: 's', key: 'i#s', tenant, groups: [], scopes: [] },
    ...{ expiresAt: Date.now() + HOUR_MS, claims: {} },
  }
  const session = { key: crypto.randomUUID() }
  const object = env.EVENTS.getByName(tenant)
  const tell = async (change: Change, id: string = crypto.randomUUID()) => {
    const notice: Notice = { id, server: server.id, path: server.path, generation: 1, change }
    await object.tell(notice)
  }
  const listen = (notifications: object) => {
    const text = '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}'
    const id = { start: text.indexOf('1,'), end: text.indexOf('1,') + 1 }
    const inbound: ListenInbound = {
      ...{ kind: 'request', era: 'modern', method: 'subscriptions/listen', text, id },
      params: { notifications },
    } as never
    return notices.listen(ctx, { principal, path: 'one', inbound })
  }
  const open = () => notices.stream(ctx, { principal, path: 'one', session })
  return { state, facts, held, notices, session, object, tell, open, listen }
}
