import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import { type Clock, EndpointId, type Random } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import type { ProbeStub } from './health-round.ts'
import { jobContext } from './job-context.ts'
import { type ProbeSliceDeps, probeSlice } from './probe-slice.ts'

const SCHEMA_VERSION = 1

/** Endpoints that an alarm looks at; how many of them it probes, the slice decides. */
const SLICE = 24

/** Every sixth round (30 minutes at the default cron) reads the catalogues as well. */
const CATALOG_EVERY_ROUNDS = 6
/** One of them. */
const CATALOG_ROUND = 0

const Stored = z.strictObject({
  schema: z.literal(SCHEMA_VERSION),
  round: z.number().int(),
  queue: z.array(EndpointId),
})
type Stored = z.infer<typeof Stored>

export interface ProbeObjectDeps {
  readonly clock: Clock
  readonly random: Random
  readonly events: Events
  /** Built when first needed: an object may be constructed before anything may be fetched. */
  slice(): ProbeSliceDeps
}

/** Probes its share of all endpoints, a slice per alarm, so that no invocation does too much. */
export function createProbeObject(deps: ProbeObjectDeps) {
  return class extends DurableObject implements ProbeStub {
    async wake(endpoints: readonly EndpointId[], isDoubted = false): Promise<void> {
      const { round, queue } = this.#read()
      // What the last round left over comes first, and nothing is probed twice in a round.
      const merged = [...new Set([...queue, ...endpoints])]
      // A round that reads catalogues finds out what a server speaks.
      const next = isDoubted ? CATALOG_ROUND : round + 1
      this.#write({ schema: SCHEMA_VERSION, round: next, queue: merged })
      await this.ctx.storage.setAlarm(deps.clock.now())
    }

    override async alarm(): Promise<void> {
      const stored = this.#read()
      const withCatalog = stored.round % CATALOG_EVERY_ROUNDS === 0
      const slice = stored.queue.slice(0, SLICE)
      const ctx = jobContext(deps, (work) => this.ctx.waitUntil(work))
      let done: readonly EndpointId[] = slice
      try {
        done = await probeSlice(deps.slice(), ctx, slice, withCatalog)
      } catch (thrown) {
        // The round goes on: one bad slice must not keep the others from being probed.
        emitFault(deps.events, ctx, 'probe', thrown)
      }
      const { queue, round } = this.#read()
      const rest = queue.filter((id) => !done.includes(id))
      this.#write({ schema: SCHEMA_VERSION, round, queue: rest })
      if (rest.length > 0) await this.ctx.storage.setAlarm(deps.clock.now())
    }

    #read(): Stored {
      const stored = Stored.safeParse(this.ctx.storage.kv.get('state'))
      return stored.data ?? { schema: SCHEMA_VERSION, round: 0, queue: [] }
    }

    #write(state: Stored): void {
      this.ctx.storage.kv.put('state', state)
    }
  }
}
