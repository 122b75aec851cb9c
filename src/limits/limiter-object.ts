import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import type { Clock } from '../core/index.ts'
import { grantLease, type LeaseGrant, type LeaseRequest, WINDOW_MS } from './lease.ts'
import { isIdle, type WindowState } from './window.ts'

const SCHEMA_VERSION = 1
const PREFIX = 'window:'

/** Two windows after a grant it counts no more; then the alarm forgets it. */
const IDLE_MS = 2 * WINDOW_MS

const StoredWindow = z.strictObject({
  bucket: z.number().int(),
  current: z.number(),
  previous: z.number(),
})

/**
 * The limiter of one tenant: one window per key in storage, no memory. The returned class is
 * named and exported by `src/index.ts`.
 */
export function createLimiterObject({ clock }: { readonly clock: Clock }) {
  return class extends DurableObject {
    /** Grants permits, counted at once; one answer per request, in their order. */
    async lease(requests: readonly LeaseRequest[]): Promise<LeaseGrant[]> {
      const now = clock.now()
      const { kv } = this.ctx.storage
      this.#keepSchema()
      const grants = requests.map((request) => {
        const { state, grant } = grantLease(this.#read(request.key), request, now)
        kv.put(PREFIX + request.key, state)
        return grant
      })
      if ((await this.ctx.storage.getAlarm()) === null) {
        await this.ctx.storage.setAlarm(now + IDLE_MS)
      }
      return grants
    }

    override async alarm(): Promise<void> {
      const now = clock.now()
      const { kv } = this.ctx.storage
      const keys = [...kv.list({ prefix: PREFIX })].map(([key]) => key.slice(PREFIX.length))
      const busy = keys.filter((key) => {
        const state = this.#read(key)
        return state !== undefined && !isIdle(state, WINDOW_MS, now)
      })
      if (busy.length === 0) return this.ctx.storage.deleteAll()
      const isBusy = new Set(busy)
      for (const key of keys) if (!isBusy.has(key)) kv.delete(PREFIX + key)
      return this.ctx.storage.setAlarm(now + IDLE_MS)
    }

    /** What does not parse counts as nothing: counters are not worth an outage. */
    #read(key: string): WindowState | undefined {
      return StoredWindow.safeParse(this.ctx.storage.kv.get(PREFIX + key)).data
    }

    /** Counters of another version are dropped: they would be idle in two minutes anyway. */
    #keepSchema(): void {
      const { kv } = this.ctx.storage
      if (kv.get('schema') === SCHEMA_VERSION) return
      for (const [key] of [...kv.list()]) kv.delete(key)
      kv.put('schema', SCHEMA_VERSION)
    }
  }
}
