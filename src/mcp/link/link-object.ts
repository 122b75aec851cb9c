import { DurableObject } from 'cloudflare:workers'
import type { Clock, Outbound, Random } from '../../core/index.ts'
import { createLink, type Link } from './link.ts'
import { readLinkRequest } from './link-request.ts'

/** An object that only waits for others is evicted (PLATFORM.md section 9). */
const AWAKE_MS = 30_000

export interface LinkObjectDeps {
  readonly clock: Clock
  readonly random: Random
  /** Built when first needed: an object may be constructed before anything may be fetched. */
  outbound(): Outbound
}

/**
 * One per endpoint and credential partition, named `{endpointId}/{partition}`: holds the connections
 * to an upstream that is not spoken to request by request (DESIGN.md, Decision 3). A connection
 * cannot be stored, so nothing is: what an evicted object held is opened again by who needs it.
 */
export function createLinkObject(deps: LinkObjectDeps) {
  return class LinkObject extends DurableObject {
    #link: Link | undefined
    #isAwake = false

    override async fetch(request: Request): Promise<Response> {
      const wanted = await readLinkRequest(request)
      this.#link ??= createLink({
        clock: deps.clock,
        random: deps.random,
        outbound: deps.outbound(),
        waitUntil: (work) => this.ctx.waitUntil(work),
      })
      if (!this.#isAwake) await this.#stayAwake()
      return this.#link.handle(wanted)
    }

    override async alarm(): Promise<void> {
      this.#isAwake = false
      if (this.#link?.sweep()) await this.#stayAwake()
    }

    async #stayAwake(): Promise<void> {
      this.#isAwake = true
      await this.ctx.storage.setAlarm(deps.clock.now() + AWAKE_MS)
    }
  }
}
