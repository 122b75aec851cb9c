import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import {
  type CallContext,
  type Clock,
  type Random,
  ServerId,
  ServerPath,
  TenantId,
} from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import { ListName } from '../list-changes.ts'
import { NOTHING, type Wanted, type WatchStub, type WatchTarget } from './notice.ts'
import { type OpenUpstreamDeps, openUpstream } from './open-upstream.ts'
import { createTeller, type TellerDeps } from './teller.ts'
import { createWatch, type Watch } from './watch.ts'

const SCHEMA_VERSION = 1
/** An object without events may be evicted after 70 s, whatever it reads (PLATFORM.md, 9). */
const AWAKE_MS = 30_000
/** A subscriber that says nothing for so long is gone; the tenant's object says it every minute. */
const LEASE_MS = 3 * 60_000

const Stored = z.strictObject({
  schema: z.literal(SCHEMA_VERSION),
  target: z.strictObject({ tenant: TenantId, path: ServerPath, serverId: ServerId }),
  wanted: z.strictObject({
    lists: z.array(ListName),
    uris: z.array(z.string()),
    tasks: z.array(z.string()).optional(),
  }),
  /** Epoch ms. */
  until: z.number(),
})
type Stored = z.infer<typeof Stored>

export interface WatchObjectDeps {
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
  /** The context of work that no caller aborts. */
  context(waitUntil: (work: Promise<unknown>) => void): CallContext
  /** Built when first needed: an object may be constructed before anything may be fetched. */
  wiring(): OpenUpstreamDeps & Omit<TellerDeps, 'onFault' | 'waitUntil'>
}

/**
 * One per server and credential partition, named `{serverId}/{partition}`: holds the upstream's
 * stream of changes while somebody wants any, and tells the tenant's `EventsObject` of each
 * (DESIGN.md, Decision 3). Keeps itself awake meanwhile.
 */
export function createWatchObject(deps: WatchObjectDeps) {
  return class extends DurableObject implements WatchStub {
    #watch: Watch | undefined

    async want(target: WatchTarget, wanted: Wanted): Promise<Wanted> {
      const now = deps.clock.now()
      const { lists, uris, tasks } = wanted
      const stored: Stored = {
        schema: SCHEMA_VERSION,
        target,
        wanted: { lists: [...lists], uris: [...uris], ...(tasks ? { tasks: [...tasks] } : {}) },
        until: now + LEASE_MS,
      }
      this.ctx.storage.kv.put('state', stored)
      if ((await this.ctx.storage.getAlarm()) === null) {
        await this.ctx.storage.setAlarm(now + AWAKE_MS)
      }
      return this.#watching(target).want(wanted)
    }

    /** Also what begins the watch again after the object was evicted. */
    override async alarm(): Promise<void> {
      const { data: stored } = Stored.safeParse(this.ctx.storage.kv.get('state'))
      if (!stored || stored.until <= deps.clock.now()) return this.leave()
      await this.ctx.storage.setAlarm(deps.clock.now() + AWAKE_MS)
      if (this.#watch) this.#watch.look()
      else await this.#watching(stored.target).want(stored.wanted)
    }

    async leave(): Promise<void> {
      await this.#watch?.want(NOTHING)
      this.#watch = undefined
      await this.ctx.storage.deleteAlarm()
      await this.ctx.storage.deleteAll()
    }

    #watching(target: WatchTarget): Watch {
      this.#watch ??= this.#start(target)
      return this.#watch
    }

    #start(target: WatchTarget): Watch {
      const waitUntil = (work: Promise<unknown>): void => this.ctx.waitUntil(work)
      const ctx = deps.context(waitUntil)
      const onFault = (thrown: unknown) => emitFault(deps.events, ctx, 'watch', thrown)
      const wiring = deps.wiring()
      const teller = createTeller({ ...wiring, onFault, waitUntil }, ctx, target)
      return createWatch({
        clock: deps.clock,
        chance: () => deps.random.fraction(),
        load: () => teller.load(),
        open: (server, wanted, hear) => openUpstream(wiring, ctx, server, wanted, hear),
        hear: (change) => teller.tell(change),
        afterGap: (told) => teller.afterGap(told),
        onFault,
        waitUntil,
      })
    }
  }
}
