import { type CallContext, type Principal, setBounded, type TenantId } from '../../core/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import type { ListName } from '../list-changes.ts'
import type { Arrival } from '../relay/arrive.ts'
import { arriveAgain, requireHearing } from '../relay/listening.ts'
import { type HeldTask, shownTask } from './held-tasks.ts'
import { type EventsStub, isWithin, Notice, type ServerWant, type Wanted } from './notice.ts'
import { contentDigest, type ListeningBy, shownUri } from './reach.ts'
import { createReachOfStream } from './reach-of-stream.ts'
import { openSocket, PING, PING_MS, PONG } from './socket.ts'

/** A change as the client is told of it. */
export type Shown =
  | { readonly kind: 'list'; readonly list: ListName }
  | { readonly kind: 'resource'; readonly uri: string }
  /** Raw JSON of what it is now. */
  | { readonly kind: 'task'; readonly params: string }

/**
 * Why a feed ended by itself: its client may hear nothing any more, or something was not heard, since
 * it was cut off or its client reads too slowly.
 */
export type FeedEnd =
  | { readonly kind: 'refused'; readonly thrown: unknown }
  | { readonly kind: 'lost' }

export interface FeedRequest {
  readonly principal: Principal
  /** Of the endpoint; the caller was let in there. */
  readonly path: string
  readonly by: ListeningBy
  /** The client's own names. */
  readonly wanted: Wanted
  /** The tasks of which the client wants to be told, by whom it was given them. */
  readonly tasks?: readonly HeldTask[]
  /** Who is there by the policy of now; throws what refuses him. Default: `arriveAgain`. */
  readonly arrive?: () => Promise<Pick<Arrival, 'actor' | 'snapshot' | 'resolved'>>
  /** One after the other: the next waits, and what is said twice meanwhile is told once. */
  readonly onChange: (change: Shown) => Promise<void>
  /** Called once, unless `stop` was. */
  readonly onEnd: (end: FeedEnd) => void
}

/** What happens at the servers behind an endpoint, as one client may hear of it. */
export interface Feed {
  /** What of what was wanted can be told, in the client's own names. */
  readonly honoured: Wanted
  /** What comes is told from now on. */
  start(): void
  /** Wants something else from now on. */
  want(wanted: Wanted): Promise<void>
  stop(): void
}

export interface FeedDeps {
  readonly snapshots: Pick<Snapshots, 'tenant' | 'confirmed'>
  readonly eventsObject: (tenant: TenantId) => EventsStub
}

/**
 * How often a feed looks whether its client may still be here, and what is behind the endpoint: with
 * a snapshot that is confirmed at 3 s, a right that is gone ends a stream within 5 s. Costs no I/O
 * but that.
 */
const LOOK_MS = 1_500
/** When one stream of an isolate reads the registry, the others wait so long for what it finds. */
const CHASE_MS = 500
const CHASE_STEP_MS = 25
const MAX_CHASED = 200
/** Changes that a client has not read yet; one that is so far behind is better off starting anew. */
const MAX_PENDING = 500
/** Their characters: only what a task came to may be long. */
const MAX_PENDING_CHARS = 1024 * 1024
/** A notice that comes again does so at once: there are hardly others between. */
const MAX_HEARD = 32

/** Opens feeds. What is opened throws what refuses the caller, and `rate_limited`. */
export type OpenFeed = (ctx: CallContext, request: FeedRequest) => Promise<Feed>

/** @see OpenFeed */
export function createOpenFeed(deps: FeedDeps): OpenFeed {
  const chasedAt = new Map<TenantId, number>()

  /** Brings this isolate's copy of the registry up to the notice, with one read for all streams. */
  async function catchUp(ctx: CallContext, tenant: TenantId, generation: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < CHASE_MS; waitedMs += CHASE_STEP_MS) {
      if ((await deps.snapshots.tenant(ctx, tenant)).generation >= generation) return
      const ageMs = ctx.clock.now() - (chasedAt.get(tenant) ?? Number.NEGATIVE_INFINITY)
      if (ageMs < 0 || ageMs > CHASE_MS) break
      await new Promise((resolve) => setTimeout(resolve, CHASE_STEP_MS))
    }
    setBounded(chasedAt, tenant, ctx.clock.now(), MAX_CHASED)
    await deps.snapshots.confirmed(ctx, tenant, generation)
  }

  return async function openFeed(ctx, request) {
    const { principal, path, by, tasks = [] } = request
    const { tenant } = principal
    const again = request.arrive ?? (() => arriveAgain(ctx, deps.snapshots, principal, path))
    async function arrive() {
      const arrival = await again()
      const { actor, resolved } = arrival
      // A server that may not be heard any more is not there; an endpoint of many still is.
      if (by === 'stream' && resolved.kind === 'server') {
        requireHearing({ actor, server: resolved.server })
      }
      return arrival
    }
    let { wanted } = request
    const arrival = await arrive()
    const object = deps.eventsObject(tenant)
    const subscriber = ctx.random.uuid()
    const reachNow = createReachOfStream(ctx, by, tasks)
    let wants = await reachNow(arrival, wanted)
    const socket = await openSocket(object, principal, subscriber)
    let isOver = false
    let isStarted = false
    let isTelling = false
    /** By what they say, so that what is said twice while the client reads is told once. */
    const pending = new Map<string, Notice>()
    /** The latest notices, by their ids. */
    const heard = new Map<string, true>()
    const contents = new Map(
      wanted.lists.map((list) => [list, contentDigest(arrival, list)] as const),
    )

    function stop(): void {
      if (isOver) return
      isOver = true
      clearInterval(looking)
      clearInterval(pinging)
      pending.clear()
      socket.close(1000, 'done')
    }
    function end(why: FeedEnd): void {
      if (isOver) return
      stop()
      request.onEnd(why)
    }
    const guarded = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work()
      } catch (thrown) {
        end({ kind: 'refused', thrown })
      }
    }

    /** Asks for what is behind the endpoint now. */
    async function look(): Promise<void> {
      const next = await reachNow(await arrive(), wanted)
      if (isOver || next === wants) return
      wants = next
      await object.want(tenant, subscriber, wants)
    }

    async function tell(notice: Notice): Promise<void> {
      await catchUp(ctx, tenant, notice.generation)
      const now = await arrive()
      const reach = await reachNow(now, wanted)
      const server = reach.find(({ server }) => server === notice.server)
      const { change } = notice
      if (isOver || !server) return
      if (change.kind === 'resource') {
        const isHeard = server.uris.some((uri) => isWithin(change.uri, uri))
        if (isHeard)
          await request.onChange({ kind: 'resource', uri: shownUri(now, notice.path, change.uri) })
        return
      }
      if (change.kind === 'task') {
        const names = now.resolved.kind === 'shared' ? notice.path : undefined
        const isMeant = (task: HeldTask) => task.server === server.server && task.id === change.id
        const meant = server.tasks?.includes(change.id) ? tasks.filter(isMeant) : []
        for (const { shown } of meant) {
          await request.onChange({ kind: 'task', params: shownTask(change.params, shown, names) })
        }
        return
      }
      if (!server.lists.includes(change.list)) return
      const content = contentDigest(now, change.list)
      if (content !== undefined && content === contents.get(change.list)) return
      contents.set(change.list, content)
      await request.onChange({ kind: 'list', list: change.list })
    }

    async function tellAll(): Promise<void> {
      if (isTelling || !isStarted) return
      isTelling = true
      for (const [key, notice] of pending) {
        pending.delete(key)
        await guarded(() => tell(notice))
        if (isOver) break
      }
      isTelling = false
      if (pending.size > 0 && !isOver) await tellAll()
    }

    const looking = setInterval(() => ctx.waitUntil(guarded(look)), LOOK_MS)
    const pinging = setInterval(() => socket.send(PING), PING_MS)
    socket.addEventListener('message', ({ data }) => {
      if (isOver || data === PONG) return
      const notice = Notice.parse(JSON.parse(String(data)))
      if (heard.has(notice.id)) return
      setBounded(heard, notice.id, true, MAX_HEARD)
      pending.set(keyOf(notice), notice)
      if (pending.size > MAX_PENDING || charsOf(pending) > MAX_PENDING_CHARS) {
        return end({ kind: 'lost' })
      }
      ctx.waitUntil(tellAll())
    })
    socket.addEventListener('close', () => end({ kind: 'lost' }))
    socket.addEventListener('error', () => end({ kind: 'lost' }))
    try {
      const told = await object.want(tenant, subscriber, wants)
      return {
        honoured: honouredBy(arrival, wanted, told, tasks),
        start() {
          isStarted = true
          ctx.waitUntil(tellAll())
        },
        async want(next) {
          wanted = next
          await guarded(look)
        },
        stop,
      }
    } catch (thrown) {
      stop()
      throw thrown
    }
  }
}

function charsOf(pending: ReadonlyMap<string, Notice>): number {
  return [...pending.values()].reduce((sum, { change }) => sum + lengthOf(change), 0)
}

function lengthOf(change: Notice['change']): number {
  if (change.kind === 'task') return change.params.length
  return change.kind === 'resource' ? change.uri.length : 0
}

/** Of a task only what it is now is told. */
function keyOf({ server, change }: Notice): string {
  return JSON.stringify([server, change.kind === 'task' ? ['task', change.id] : change])
}

/** What the servers tell, said in the client's own names and in the order it asked. */
function honouredBy(
  arrival: Pick<Arrival, 'resolved'>,
  wanted: Wanted,
  told: readonly ServerWant[],
  held: readonly HeldTask[],
): Wanted {
  const shown = new Set(
    told.flatMap(({ path, uris }) => uris.map((uri) => shownUri(arrival, path, uri))),
  )
  return {
    lists: wanted.lists.filter((list) => told.some(({ lists }) => lists.includes(list))),
    uris: wanted.uris.filter((uri) => shown.has(uri)),
    tasks: held
      .filter((task) =>
        told.some(({ server, tasks }) => server === task.server && tasks?.includes(task.id)),
      )
      .map((task) => task.shown),
  }
}
