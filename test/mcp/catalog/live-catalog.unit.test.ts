import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type CallContext,
  EndpointId,
  ServerId,
  ServerPath,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import {
  type CatalogTarget,
  createLiveCatalog,
  type LiveServer,
  type RefreshOutcome,
} from '../../../src/mcp/catalog/live-catalog.ts'

const RETRY_AFTER_MS = 30_000
const MAX_ASKED = 64
const DEADLINE_MS = 4_000
const STORED: RefreshOutcome = { kind: 'stored' }
const FAILED: RefreshOutcome = { kind: 'failed', reason: 'it is down' }
const PENDING: RefreshOutcome = { kind: 'pending' }

const uuid = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
const serverOf = (index: number): LiveServer => ({
  id: ServerId.parse(uuid(index)),
  tenant: TenantId.parse('t-live'),
  path: ServerPath.parse(`server-${index}`),
  endpointIds: [EndpointId.parse(uuid(1_000 + index))],
})
const idsOf = (outcomes: ReadonlyMap<ServerId, RefreshOutcome>) => [...outcomes.values()]

/** The objects behind it answer as `answer` says; what they are asked is kept. */
function setUp(answer: (target: CatalogTarget) => Promise<RefreshOutcome>) {
  const asked: [string, CatalogTarget][] = []
  const events: Record<string, unknown>[] = []
  const behind: Promise<unknown>[] = []
  const live = createLiveCatalog({
    events: { emit: (event) => events.push({ ...event }) },
    object: (name) => ({
      refresh(target) {
        asked.push([name, target])
        return answer(target)
      },
    }),
  })
  const ctx: CallContext = {
    requestId: 'request',
    clock: { now: () => Date.now() },
    random: systemRandom,
    caller: new AbortController(),
    facts: {},
    waitUntil: (work) => behind.push(work),
    holdEvent: () => () => undefined,
  }
  return {
    asked,
    events,
    behind,
    refresh: (servers: readonly LiveServer[], deadlineMs = DEADLINE_MS) =>
      live.refresh(ctx, servers, deadlineMs),
    checkedAt: ({ id }: LiveServer) => live.checkedAt(id),
  }
}

describe('the live catalogue', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('asks the object of each server and its shared partition, and leaves no timer', async () => {
    const { refresh, asked } = setUp(async ({ path }) => (path === 'server-1' ? STORED : FAILED))
    const outcomes = await refresh([serverOf(1), serverOf(2)])
    expect([...outcomes]).toEqual([
      [uuid(1), STORED],
      [uuid(2), FAILED],
    ])
    const { id: serverId, tenant, path, endpointIds } = serverOf(1)
    expect(asked[0]).toEqual([`${uuid(1)}/shared`, { tenant, path, serverId, endpointIds }])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits no longer than its deadline for all together, and goes on behind the response', async () => {
    let finish: (outcome: RefreshOutcome) => void = () => undefined
    const slow = new Promise<RefreshOutcome>((resolve) => {
      finish = resolve
    })
    const { refresh, behind } = setUp(({ path }) =>
      path === 'server-1' ? slow : Promise.resolve(STORED),
    )
    const refreshing = refresh([serverOf(1), serverOf(2)])
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    const outcomes = await refreshing
    expect(idsOf(outcomes)).toEqual([PENDING, STORED])
    expect(vi.getTimerCount()).toBe(0)

    finish(STORED)
    await Promise.all(behind)
    // What was handed out does not change under its reader.
    expect(idsOf(outcomes)).toEqual([PENDING, STORED])
  })

  it('lets several requests wait for the same server at the same time', async () => {
    const { refresh, asked } = setUp(async () => STORED)
    const both = await Promise.all([refresh([serverOf(1)]), refresh([serverOf(1)])])
    expect(both.map(idsOf)).toEqual([[STORED], [STORED]])
    expect(asked).toHaveLength(2)
  })

  it('does not ask a server again within 30 seconds of its failure', async () => {
    const { refresh, asked } = setUp(async () => FAILED)
    await refresh([serverOf(1)])
    await vi.advanceTimersByTimeAsync(RETRY_AFTER_MS - 1)
    expect(idsOf(await refresh([serverOf(1)]))).toEqual([FAILED])
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    await refresh([serverOf(1)])
    expect(asked).toHaveLength(2)
  })

  it('waits once for a server that hangs, and then not again for 30 seconds', async () => {
    const { refresh, asked } = setUp(() => new Promise(() => undefined))
    const first = refresh([serverOf(1)])
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(idsOf(await first)).toEqual([PENDING])
    // No time passes here: a second wait would never end.
    expect(idsOf(await refresh([serverOf(1)]))).toEqual([PENDING])
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(RETRY_AFTER_MS)
    void refresh([serverOf(1)], 0)
    expect(asked).toHaveLength(2)
  })

  it('asks again at once when a server that hung has answered in the end', async () => {
    let finish: (outcome: RefreshOutcome) => void = () => undefined
    const { refresh, asked, behind } = setUp(
      () =>
        new Promise((resolve) => {
          finish = resolve
        }),
    )
    const first = refresh([serverOf(1)], 0)
    await vi.advanceTimersByTimeAsync(0)
    expect(idsOf(await first)).toEqual([PENDING])
    finish(STORED)
    await Promise.all(behind)
    const second = refresh([serverOf(1)])
    finish(STORED)
    expect(idsOf(await second)).toEqual([STORED])
    expect(asked).toHaveLength(2)
  })

  it('asks at most 64 servers for one request, and the others for the next', async () => {
    const { refresh, asked } = setUp(async () => FAILED)
    const servers = Array.from({ length: MAX_ASKED + 6 }, (_, index) => serverOf(index))
    const outcomes = idsOf(await refresh(servers))
    expect(outcomes.filter(({ kind }) => kind === 'failed')).toHaveLength(MAX_ASKED)
    expect(outcomes.slice(MAX_ASKED)).toEqual(Array.from({ length: 6 }, () => PENDING))
    expect(asked).toHaveLength(MAX_ASKED)

    expect(idsOf(await refresh(servers))).toEqual(servers.map(() => FAILED))
    expect(asked).toHaveLength(servers.length)
  })

  it('reports an object that fails as a fault, and the others all the same', async () => {
    const { refresh, events } = setUp(async ({ path }) => {
      if (path === 'server-1') throw new Error('the object was reset')
      return STORED
    })
    const failed = { kind: 'failed', reason: 'The gateway could not ask the server.' }
    expect(idsOf(await refresh([serverOf(1), serverOf(2)]))).toEqual([failed, STORED])
    expect(events).toEqual([
      {
        type: 'fault',
        requestId: 'request',
        where: 'live-catalog',
        error: 'Error: the object was reset',
      },
    ])
  })

  it('knows when a catalogue was last the server’s own, also from an answer that comes late', async () => {
    let finish: (outcome: RefreshOutcome) => void = () => undefined
    const { refresh, checkedAt, behind } = setUp(({ path }) =>
      path === 'server-1'
        ? new Promise((resolve) => {
            finish = resolve
          })
        : Promise.resolve(path === 'server-2' ? STORED : FAILED),
    )
    const refreshing = refresh([serverOf(1), serverOf(2), serverOf(3)], 0)
    await vi.advanceTimersByTimeAsync(0)
    await refreshing
    const known = () => [1, 2, 3].map((at) => checkedAt(serverOf(at)))
    expect(known()).toEqual([undefined, Date.now(), undefined])
    finish({ kind: 'unchanged', checkedAt: 7 })
    await Promise.all(behind)
    expect(known()).toEqual([7, Date.now(), undefined])
  })

  it('gives nothing for no servers, without waiting', async () => {
    const { refresh } = setUp(async () => STORED)
    expect(idsOf(await refresh([]))).toEqual([])
  })
})
