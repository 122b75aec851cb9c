import {
  andThen,
  type CallContext,
  GatewayError,
  isServerPath,
  type MaybePromise,
  type Principal,
  type ServerPath,
  setBounded,
  type TenantId,
} from '../core/index.ts'
import { compileRules, type LimitRule, NO_RULES, type RuleSet } from '../limits/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import {
  type BootstrapAdmin,
  isBootstrapAdmin,
  type PolicyDocument,
  type Rights,
  rightsOf,
} from '../policy/index.ts'
import type { HeaderVault } from './custom-headers.ts'
import type { IndexedServer } from './indexed-server.ts'
import type { Offer, WantedOffer } from './offers/offer.ts'
import type { ServerRecord } from './server-record.ts'
import type { LoadedEndpoint, LoadedServer } from './snapshot-repository.ts'
import type { VirtualServerRecord } from './virtual/virtual-record.ts'

/** Paths per tenant, known and unknown alike. */
const MAX_PATHS = 2000
/** Servers in an index: what an isolate of 128 MB holds beside the rest. */
const MAX_INDEXED = 10_000
const INDEX_ROWS_PER_READ = 1_000
/** Names and tags whose offers are remembered, invented ones too, and offers of all of them. */
const MAX_WANTED = 500
const MAX_OFFERS = 20_000

/** What a path of the tenant stands for. */
export type EndpointRecord =
  | { readonly kind: 'server'; readonly server: ServerRecord }
  | { readonly kind: 'virtual'; readonly virtual: VirtualServerRecord }

/** One tenant as of one generation. Servers are loaded when first asked for. */
export interface TenantSnapshot {
  readonly generation: number
  readonly policy: PolicyDocument
  /** The tenant's limit rules, compiled. */
  readonly limits: RuleSet
  /**
   * What `/{path}/mcp` is. Undefined for unknown paths, which are remembered as well. A disabled
   * one is returned. At once where it is known; rejects with `policy_unavailable` when it has to be
   * loaded and cannot be.
   */
  endpoint(ctx: CallContext, path: string): MaybePromise<EndpointRecord | undefined>
  /** As `endpoint`; undefined for the path of a virtual server. */
  server(ctx: CallContext, path: string): Promise<ServerRecord | undefined>
  /**
   * Every enabled server of the tenant by path, at most 10,000; the same array for as long as the
   * snapshot lives. Throws `policy_unavailable`.
   */
  index(ctx: CallContext): Promise<readonly IndexedServer[]>
  /**
   * Every enabled server that has what is wanted, at most 10,000; the same array as long as it is
   * remembered. Throws `policy_unavailable`.
   */
  offers(ctx: CallContext, wanted: WantedOffer): Promise<readonly Offer[]>
  rights(principal: Principal): Rights
}

/** What of a tenant is read whole. */
export interface TenantDocuments {
  readonly policy: PolicyDocument
  readonly limitRules: readonly LimitRule[]
}

export interface TenantSnapshotDeps {
  readonly source: {
    endpoint(tenant: TenantId, path: ServerPath): Promise<LoadedEndpoint | undefined>
    index(tenant: TenantId, after: string, limit: number): Promise<IndexedServer[]>
    offers(tenant: TenantId, wanted: WantedOffer): Promise<readonly Offer[]>
  }
  readonly headers: HeaderVault
  readonly events: Events
  readonly bootstrapAdmin?: BootstrapAdmin | undefined
}

/** @see TenantSnapshot */
export function createTenantSnapshot(
  deps: TenantSnapshotDeps,
  tenant: TenantId,
  generation: number,
  { policy, limitRules }: TenantDocuments,
): TenantSnapshot {
  const limits = limitRules.length === 0 ? NO_RULES : compileRules(limitRules)
  const known = new Map<string, EndpointRecord | undefined>()
  // Settled values only: a promise in flight belongs to the request that started it.
  let indexed: readonly IndexedServer[] | undefined
  const offered = new Map<string, readonly Offer[]>()
  let offersKept = 0
  // A principal lives as long as its verified token is remembered (identity/verify.ts).
  const rights = new WeakMap<Principal, Rights>()

  function endpoint(ctx: CallContext, path: string): MaybePromise<EndpointRecord | undefined> {
    const found = known.get(path)
    if (found) {
      // Used again is young again: invented paths must not push out what is in use.
      setBounded(known, path, found, MAX_PATHS)
      return found
    }
    if (!isServerPath(path)) return undefined
    return andThen(known.has(path) ? undefined : load(ctx, path), (record) => {
      setBounded(known, path, record, MAX_PATHS)
      return record
    })
  }

  return {
    generation,
    policy,
    limits,
    endpoint,

    async server(ctx, path) {
      const record = await endpoint(ctx, path)
      return record?.kind === 'server' ? record.server : undefined
    },

    async index(ctx) {
      // Whoever loaded first wins, so that everyone holds the same array.
      const loaded = indexed ?? (await loadIndex(ctx))
      indexed ??= loaded
      return indexed
    },

    async offers(ctx, wanted) {
      const key = `${wanted.kind} ${wanted.key}`
      const known = offered.get(key)
      if (known) {
        // Used again is young again.
        offered.delete(key)
        offered.set(key, known)
        return known
      }
      const loaded = await reading(ctx, 'registry.offers', () => deps.source.offers(tenant, wanted))
      const before = offered.get(key)
      if (before) return before
      offered.set(key, loaded)
      offersKept += loaded.length
      forgetOldest()
      return loaded
    },

    rights(principal) {
      const before = rights.get(principal)
      if (before) return before
      const bootstrap = isBootstrapAdmin(principal, deps.bootstrapAdmin, policy)
      const compiled = rightsOf(principal, policy, { bootstrap })
      rights.set(principal, compiled)
      return compiled
    },
  }

  function forgetOldest(): void {
    for (const [oldest, offers] of offered) {
      if (offered.size <= MAX_WANTED && offersKept <= MAX_OFFERS) return
      offered.delete(oldest)
      offersKept -= offers.length
    }
  }

  async function load(ctx: CallContext, path: ServerPath): Promise<EndpointRecord | undefined> {
    return reading(ctx, 'registry.server', async () => {
      const loaded = await deps.source.endpoint(tenant, path)
      if (loaded?.kind !== 'server') return loaded
      return { kind: 'server', server: await toRecord(deps.headers, loaded) }
    })
  }

  async function loadIndex(ctx: CallContext): Promise<readonly IndexedServer[]> {
    return reading(ctx, 'registry.index', async () => {
      const all: IndexedServer[] = []
      while (all.length < MAX_INDEXED) {
        const after = all.at(-1)?.path ?? ''
        const rows = await deps.source.index(tenant, after, INDEX_ROWS_PER_READ)
        all.push(...rows)
        if (rows.length < INDEX_ROWS_PER_READ) return all
      }
      const cut = new Error(`the tenant has more than ${MAX_INDEXED - 1} servers: the rest is cut`)
      emitFault(deps.events, ctx, 'registry.index', cut)
      return all
    })
  }

  async function reading<T>(ctx: CallContext, where: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (thrown) {
      emitFault(deps.events, ctx, where, thrown)
      throw thrown instanceof GatewayError ? thrown : unavailable(thrown)
    }
  }
}

async function toRecord(
  vault: HeaderVault,
  { server, tools, prompts }: LoadedServer,
): Promise<ServerRecord> {
  const headers = await vault.open(server.tenant, server.id, server.headersSealed)
  return {
    id: server.id,
    tenant: server.tenant,
    path: server.path,
    name: server.name,
    owner: server.owner,
    visibility: server.visibility,
    allowedGroups: server.allowedGroups,
    enabled: server.enabled,
    timeoutMs: server.timeoutMs,
    trustAnnotations: server.trustAnnotations,
    resilience: server.resilience,
    transport: server.transport,
    authStrategy: server.authStrategy,
    endpoints: server.endpoints.map(({ id, url, weight, health }) => ({ id, url, weight, health })),
    upstream: server.upstream,
    headers: Object.entries(headers),
    tools,
    prompts,
  }
}

/** 503 when there is nothing that may serve. */
export function unavailable(cause: unknown): GatewayError {
  return new GatewayError('policy_unavailable', 'The registry cannot be read at the moment.', {
    cause,
  })
}
