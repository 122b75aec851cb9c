import {
  type CallContext,
  type EndpointId,
  type ServerId,
  type ServerPath,
  setBounded,
  type TenantId,
} from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { IndexedServer } from '../../registry/index.ts'
import { partitionOf } from '../partition.ts'

/** What came of asking a server what it offers. */
export type RefreshOutcome =
  /** The stored catalogue is another one now. */
  | { readonly kind: 'stored' }
  /** `checkedAt`: when it was found to be what the server offers, epoch ms. */
  | { readonly kind: 'unchanged'; readonly checkedAt: number }
  /** `reason` is fit for the server's owner to read. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Not asked yet, or still being asked. */
  | { readonly kind: 'pending' }

/** A stored catalogue older than this is asked for again; a younger one is what the server offers. */
export const CATALOG_FRESH_MS = 5 * 60_000

/** The server that a `CatalogObject` is to ask. */
export interface CatalogTarget {
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly serverId: ServerId
  /** In the order in which they are tried. */
  readonly endpointIds: readonly EndpointId[]
}

/** The RPC surface of a `CatalogObject`. */
export interface CatalogStub {
  /**
   * Asks the server and stores what it offers, once for all who ask at the same time; not at all
   * when what is stored is younger than 5 minutes. A failure is remembered for 30 s. Goes on when
   * nobody waits any more. Never gives `pending`. A server that says that it `hasChanged` is asked
   * whatever is known, and after whoever asks it already.
   */
  refresh(
    target: CatalogTarget,
    options?: { readonly hasChanged?: boolean },
  ): Promise<RefreshOutcome>
}

/** As the registry's index has it. */
export type LiveServer = Pick<IndexedServer, 'id' | 'tenant' | 'path' | 'endpointIds'>

/** Brings stored catalogues up to date, each in an invocation of its own (DESIGN.md, Fan-out). */
export interface LiveCatalog {
  /**
   * Asks the servers' objects for their catalogues and waits at most `deadlineMs` for all together.
   * Never throws; what has not come is `pending`, and goes on behind the response.
   */
  refresh(
    ctx: CallContext,
    servers: readonly LiveServer[],
    deadlineMs: number,
  ): Promise<ReadonlyMap<ServerId, RefreshOutcome>>
  /** When this isolate last heard that the stored catalogue is the server's; epoch ms. */
  checkedAt(id: ServerId): number | undefined
}

export interface LiveCatalogDeps {
  readonly events: Events
  /** The object of this name. */
  object(name: string): CatalogStub
}

/** Of one request: an object call is a subrequest, and there are calls beside these. */
const MAX_ASKED = 64
/** A server that failed, or was waited for in vain, is left alone by this isolate for so long. */
const RETRY_AFTER_MS = 30_000
/** Servers remembered; oldest out. */
const MAX_REMEMBERED = 10_000

const PENDING: RefreshOutcome = { kind: 'pending' }

/** @see LiveCatalog */
export function createLiveCatalog(deps: LiveCatalogDeps): LiveCatalog {
  const attempts = new Map<ServerId, { readonly at: number; readonly outcome: RefreshOutcome }>()

  const checkedAt = new Map<ServerId, number>()

  function recent(id: ServerId, now: number): RefreshOutcome | undefined {
    const attempt = attempts.get(id)
    return attempt && now - attempt.at < RETRY_AFTER_MS ? attempt.outcome : undefined
  }

  function remember(id: ServerId, outcome: RefreshOutcome, at: number): void {
    if (outcome.kind !== 'stored' && outcome.kind !== 'unchanged') {
      setBounded(attempts, id, { at, outcome }, MAX_REMEMBERED)
      return
    }
    attempts.delete(id)
    const checked = outcome.kind === 'unchanged' ? outcome.checkedAt : at
    setBounded(checkedAt, id, checked, MAX_REMEMBERED)
  }

  async function ask(ctx: CallContext, server: LiveServer): Promise<RefreshOutcome> {
    const { id: serverId, tenant, path, endpointIds } = server
    let outcome: RefreshOutcome
    try {
      const object = deps.object(partitionOf(serverId))
      outcome = await object.refresh({ tenant, path, serverId, endpointIds })
    } catch (thrown) {
      emitFault(deps.events, ctx, 'live-catalog', thrown)
      outcome = { kind: 'failed', reason: 'The gateway could not ask the server.' }
    }
    remember(serverId, outcome, ctx.clock.now())
    return outcome
  }

  return {
    async refresh(ctx, servers, deadlineMs) {
      const now = ctx.clock.now()
      const outcomes = new Map(servers.map(({ id }) => [id, recent(id, now) ?? PENDING]))
      const asked = servers.filter(({ id }) => recent(id, now) === undefined).slice(0, MAX_ASKED)
      let isOver = false
      const all = Promise.all(
        asked.map(async (server) => {
          const outcome = await ask(ctx, server)
          if (!isOver) outcomes.set(server.id, outcome)
        }),
      )
      // An object whose caller is gone might never be called; and what comes late is remembered.
      ctx.waitUntil(all)
      await settledWithin(all, deadlineMs)
      isOver = true
      const late = asked.filter(({ id }) => outcomes.get(id)?.kind === 'pending')
      for (const { id } of late) remember(id, PENDING, ctx.clock.now())
      return outcomes
    },

    checkedAt: (id) => checkedAt.get(id),
  }
}

async function settledWithin(work: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, deadlineMs)
  })
  try {
    await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
