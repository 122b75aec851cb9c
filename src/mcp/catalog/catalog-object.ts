import { DurableObject } from 'cloudflare:workers'
import { z } from 'zod'
import { type CallContext, type Clock, GatewayError, toGatewayError } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { CatalogStub, CatalogTarget, RefreshOutcome } from './live-catalog.ts'
import { type RefreshCatalogDeps, refreshCatalog } from './refresh-catalog.ts'

const SCHEMA_VERSION = 1
/** A server that just failed is not asked again by everybody who wants its list. */
const FAILURE_MS = 30_000

const Failure = z.strictObject({
  schema: z.literal(SCHEMA_VERSION),
  reason: z.string(),
  /** Epoch ms. */
  until: z.number(),
})
type Failure = z.infer<typeof Failure>

export interface CatalogObjectDeps {
  readonly clock: Clock
  readonly events: Events
  /** The context of work that no caller aborts. */
  context(waitUntil: (work: Promise<unknown>) => void): CallContext
  /** Built when first needed: an object may be constructed before anything may be fetched. */
  wiring(): RefreshCatalogDeps
}

/**
 * One per server and credential partition, named `{serverId}/{partition}`: asks the server what it
 * offers, in an invocation of its own, once for all who ask at the same time (DESIGN.md, Decision 3).
 */
export function createCatalogObject(deps: CatalogObjectDeps) {
  return class extends DurableObject implements CatalogStub {
    #running: Promise<RefreshOutcome> | undefined

    async refresh(
      target: CatalogTarget,
      { hasChanged = false }: { readonly hasChanged?: boolean } = {},
    ): Promise<RefreshOutcome> {
      const failure = hasChanged ? undefined : this.#failure()
      if (failure) return { kind: 'failed', reason: failure.reason }
      // Whoever asks it already may have asked before it changed.
      if (hasChanged) await this.#running
      // Within one object a shared promise is safe, and it is what makes this single-flight.
      this.#running ??= this.#run(target, hasChanged).finally(() => {
        this.#running = undefined
      })
      // Who waits may go away; what was found is stored all the same.
      this.ctx.waitUntil(this.#running)
      return this.#running
    }

    override async alarm(): Promise<void> {
      await this.ctx.storage.deleteAll()
    }

    async #run(target: CatalogTarget, hasChanged: boolean): Promise<RefreshOutcome> {
      const outcome = await this.#ask(target, hasChanged)
      if (outcome.kind === 'failed') await this.#remember(target, outcome.reason)
      return outcome
    }

    async #ask(target: CatalogTarget, hasChanged: boolean): Promise<RefreshOutcome> {
      const ctx = deps.context((work) => this.ctx.waitUntil(work))
      try {
        return await refreshCatalog(deps.wiring(), ctx, target, hasChanged)
      } catch (thrown) {
        if (!(thrown instanceof GatewayError)) emitFault(deps.events, ctx, 'catalog', thrown)
        return { kind: 'failed', reason: toGatewayError(thrown).message }
      }
    }

    async #remember({ tenant, path: server }: CatalogTarget, reason: string): Promise<void> {
      deps.events.emit({ type: 'catalog_refresh_failed', tenant, server, reason })
      const until = deps.clock.now() + FAILURE_MS
      const failure: Failure = { schema: SCHEMA_VERSION, reason, until }
      this.ctx.storage.kv.put('failure', failure)
      await this.ctx.storage.setAlarm(until)
    }

    #failure(): Failure | undefined {
      const { data } = Failure.safeParse(this.ctx.storage.kv.get('failure'))
      return data && data.until > deps.clock.now() ? data : undefined
    }
  }
}
