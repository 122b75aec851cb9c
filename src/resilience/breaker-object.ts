import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import type { Clock } from '../core/index.ts'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  type BreakerState,
  CLOSED,
  type Outcomes,
  type ProbeAnswer,
} from './breaker.ts'
import { createLoadBatches, type LoadReport, type OthersLoad } from './load-batches.ts'

const SCHEMA_VERSION = 1

/** A breaker nobody told anything for this long is forgotten: that is a closed one. */
const IDLE_MS = 3_600_000

const StoredBreaker = z.strictObject({
  schema: z.literal(SCHEMA_VERSION),
  updatedAt: z.number(),
  state: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('closed'), failures: z.number().int() }),
    z.strictObject({ kind: z.literal('open'), openedAt: z.number() }),
    z.strictObject({
      kind: z.literal('half_open'),
      probes: z.number().int(),
      lastProbeAt: z.number(),
    }),
  ]),
})

interface BreakerObjectDeps {
  readonly config: BreakerConfig
  readonly clock: Clock
}

/**
 * The breaker of one endpoint: its state in storage, no memory. Times inside the state are those
 * of the callers. The returned class is named and exported by `src/index.ts`.
 */
export function createBreakerObject({ config, clock }: BreakerObjectDeps) {
  return class extends DurableObject {
    // Not in storage: hints of a second ago, told anew all the time.
    readonly #loads = createLoadBatches()

    /** Applies outcomes and answers with the state they lead to. */
    async report({ now, ...outcomes }: Outcomes & { readonly now: number }): Promise<BreakerState> {
      const state = applyOutcomes(this.#read(), outcomes, config, now)
      await this.#write(state)
      return state
    }

    /** Gives out one of the half-open permits, or says when to ask again. */
    async acquireProbe({ now }: { readonly now: number }): Promise<ProbeAnswer> {
      const answer = acquireProbe(this.#read(), config, now)
      await this.#write(answer.state)
      return answer
    }

    /** @see LoadBatches */
    async load(report: LoadReport): Promise<OthersLoad> {
      return this.#loads.report(report, clock.now())
    }

    override async alarm(): Promise<void> {
      const idleAt = (this.#stored()?.updatedAt ?? 0) + IDLE_MS
      if (clock.now() >= idleAt) return this.ctx.storage.deleteAll()
      return this.ctx.storage.setAlarm(idleAt)
    }

    /** What does not parse, or is of another version, is a closed breaker: calls will tell. */
    #read(): BreakerState {
      return this.#stored()?.state ?? CLOSED
    }

    #stored(): z.infer<typeof StoredBreaker> | undefined {
      return StoredBreaker.safeParse(this.ctx.storage.kv.get('breaker')).data
    }

    async #write(state: BreakerState): Promise<void> {
      const updatedAt = clock.now()
      this.ctx.storage.kv.put('breaker', { schema: SCHEMA_VERSION, updatedAt, state })
      if ((await this.ctx.storage.getAlarm()) === null) {
        await this.ctx.storage.setAlarm(updatedAt + IDLE_MS)
      }
    }
  }
}
