import { DurableObject } from 'cloudflare:workers'
import type { Clock } from '../core/index.ts'
import type { LeaseGrant, LeaseRequest } from './lease.ts'
import { type CounterUse, createLedger, type Ledger } from './ledger.ts'

const SCHEMA_VERSION = 2

/** Alarms come at most this often: what is idle may lie a little. */
const SWEEP_MS = 120_000

/** Counters that one answer about usage may tell. */
const MAX_USES = 1_000

/**
 * The limiter of one tenant: a ledger over the object's storage, which outlives evictions. The
 * returned class is named and exported by `src/index.ts`.
 */
export function createLimiterObject({ clock }: { readonly clock: Clock }) {
  return class extends DurableObject {
    #ledger: Ledger | undefined

    /** Grants permits, counted at once; one answer per request, in their order. */
    async lease(requests: readonly LeaseRequest[]): Promise<LeaseGrant[]> {
      const now = clock.now()
      const grants = this.#open().lease(requests, now)
      const alarm = await this.ctx.storage.getAlarm()
      // One that waits for the end of a month must not let minutes lie until then.
      if (alarm === null || alarm > now + SWEEP_MS) {
        await this.ctx.storage.setAlarm(now + SWEEP_MS)
      }
      return grants
    }

    /** What is used now, the fullest counters first. */
    async usage(): Promise<CounterUse[]> {
      return this.#open().usage(clock.now(), MAX_USES)
    }

    override async alarm(): Promise<void> {
      const now = clock.now()
      const next = this.#open().sweep(now)
      if (next !== undefined) return this.ctx.storage.setAlarm(Math.max(next, now + SWEEP_MS))
      this.#ledger = undefined
      return this.ctx.storage.deleteAll()
    }

    #open(): Ledger {
      this.#ledger ??= this.#start()
      return this.#ledger
    }

    /** Counters of version 1 are dropped: they were of one minute, and idle in two. */
    #start(): Ledger {
      const { kv } = this.ctx.storage
      if (kv.get('schema') !== SCHEMA_VERSION) {
        for (const [key] of [...kv.list()]) kv.delete(key)
        kv.put('schema', SCHEMA_VERSION)
      }
      return createLedger({
        get: (key) => kv.get(key),
        put: (key, value) => kv.put(key, value),
        delete: (key) => kv.delete(key),
        list: (prefix) => kv.list({ prefix }),
      })
    }
  }
}
