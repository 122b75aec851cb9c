import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import type { Clock } from '../core/index.ts'
import {
  acquireProbe,
  applyOutcomes,
  type BreakerConfig,
  type BreakerPhase,
  type BreakerState,
  CLOSED,
  changeBetween,
  type Outcomes,
  type ProbeAnswer,
  phaseOf,
} from './breaker.ts'
import { createLoadBatches, type LoadReport, type OthersLoad } from './load-batches.ts'

/** 2: with a window of failures, and openings that are counted. */
const SCHEMA_VERSION = 2

/** A breaker nobody told anything for this long is forgotten: that is a closed one. */
const IDLE_MS = 3_600_000

const count = z.number().int().min(0)

const StoredBreaker = z.strictObject({
  schema: z.literal(SCHEMA_VERSION),
  updatedAt: z.number(),
  state: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('closed'),
      failures: count,
      window: z.array(z.strictObject({ at: z.number(), successes: count, failures: count })),
    }),
    z.strictObject({ kind: z.literal('open'), openedAt: z.number(), openings: count }),
    z.strictObject({
      kind: z.literal('half_open'),
      probes: count,
      lastProbeAt: z.number(),
      openings: count,
    }),
  ]),
  /** The numbers of its server, as they were last told by who knows them. */
  config: z
    .strictObject({
      failureThreshold: count,
      failurePercent: z.number(),
      minCalls: count,
      windowMs: z.number(),
      openMs: z.number(),
      maxOpenMs: z.number(),
      halfOpenPermits: count,
    })
    .optional(),
})

interface BreakerObjectDeps {
  readonly config: BreakerConfig
  readonly clock: Clock
}

/** The time is the caller's; the numbers are those of the server, where the caller knows it. */
export interface BreakerCall {
  readonly now: number
  readonly config?: BreakerConfig
}

/**
 * The breaker of one endpoint: its state in storage, no memory. Times inside the state are those
 * of the callers. The returned class is named and exported by `src/index.ts`.
 */
export function createBreakerObject({ config: defaults, clock }: BreakerObjectDeps) {
  return class extends DurableObject {
    // Not in storage: hints of a second ago, told anew all the time.
    readonly #loads = createLoadBatches()

    /** Applies outcomes and answers with the state they lead to; `change` goes to one caller. */
    async report({
      now,
      config,
      ...outcomes
    }: Outcomes & BreakerCall): Promise<{ state: BreakerState; change?: BreakerPhase }> {
      const known = config ?? this.#config()
      const before = this.#read()
      const state = applyOutcomes(before, outcomes, known, now)
      await this.#write(state, config)
      return { state, ...changed(before, state) }
    }

    /** Gives out one of the half-open permits, or says when to ask again. */
    async acquireProbe({
      now,
      config,
    }: BreakerCall): Promise<ProbeAnswer & { change?: BreakerPhase }> {
      const before = this.#read()
      const answer = acquireProbe(before, config ?? this.#config(), now)
      await this.#write(answer.state, config)
      return { ...answer, ...changed(before, answer.state) }
    }

    /** Looks without asking for anything. */
    async phase({ now }: { readonly now: number }): Promise<BreakerPhase> {
      return phaseOf(this.#read(), this.#config(), now)
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

    #config(): BreakerConfig {
      return this.#stored()?.config ?? defaults
    }

    #stored(): z.infer<typeof StoredBreaker> | undefined {
      return StoredBreaker.safeParse(this.ctx.storage.kv.get('breaker')).data
    }

    async #write(state: BreakerState, told: BreakerConfig | undefined): Promise<void> {
      const updatedAt = clock.now()
      const config = told ?? this.#stored()?.config
      const record = { schema: SCHEMA_VERSION, updatedAt, state, ...(config ? { config } : {}) }
      this.ctx.storage.kv.put('breaker', record)
      if ((await this.ctx.storage.getAlarm()) === null) {
        await this.ctx.storage.setAlarm(updatedAt + IDLE_MS)
      }
    }
  }
}

function changed(before: BreakerState, after: BreakerState): { change?: BreakerPhase } {
  const change = changeBetween(before, after)
  return change === undefined ? {} : { change }
}
