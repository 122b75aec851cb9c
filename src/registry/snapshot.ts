import {
  type CallContext,
  type FreshnessConfig,
  freshnessOf,
  type MaybePromise,
  mayServeStale,
  mayStartConfirm,
  type Principal,
  setBounded,
  type TenantId,
} from '../core/index.ts'
import type { LimitRule } from '../limits/index.ts'
import { emitFault } from '../observability/index.ts'
import { type Actor, isBootstrapAdmin, type PolicyDocument } from '../policy/index.ts'
import {
  createTenantSnapshot,
  type TenantSnapshot,
  type TenantSnapshotDeps,
  unavailable,
} from './tenant-snapshot.ts'

/** Tenants per isolate; the one not confirmed for longest goes first. */
const MAX_TENANTS = 200

/** The per-isolate copy of what calls need to know (DESIGN.md, Decision 4). */
export interface Snapshots {
  /**
   * At once where a copy is young enough. Rejects with `policy_unavailable` when D1 cannot be read
   * and none is.
   */
  tenant(ctx: CallContext, tenant: TenantId): MaybePromise<TenantSnapshot>
  /**
   * As of now, not as of some seconds ago; with `atLeast`, of that generation or a later one. Where
   * D1 cannot be read, what `tenant` gives.
   */
  confirmed(ctx: CallContext, tenant: TenantId, atLeast?: number): Promise<TenantSnapshot>
  /** The principal with its rights; logs the bootstrap administrator. */
  actor(ctx: CallContext, principal: Principal): Promise<Actor>
  /** Forgets the tenant, after a write in this isolate. */
  drop(tenant: TenantId): void
}

export interface SnapshotDeps extends TenantSnapshotDeps {
  readonly source: TenantSnapshotDeps['source'] & {
    generation(tenant: TenantId): Promise<number>
    policy(tenant: TenantId): Promise<PolicyDocument>
    limitRules(tenant: TenantId): Promise<readonly LimitRule[]>
  }
  readonly freshness: FreshnessConfig
}

/** Settled values only: a promise in flight belongs to the request that started it. */
interface Entry {
  readonly snapshot: TenantSnapshot
  /** When its generation was last read: before the read, so that age is never understated. */
  readonly confirmedAt: number
  readonly confirmStartedAt: number
}

/** @see Snapshots */
export function createSnapshots(deps: SnapshotDeps): Snapshots {
  const entries = new Map<TenantId, Entry>()
  /** Counts drops: what was read before a drop is not kept after it. */
  let epoch = 0

  function keep(tenant: TenantId, entry: Entry): void {
    setBounded(entries, tenant, entry, MAX_TENANTS)
  }

  async function documents(tenant: TenantId) {
    const { source } = deps
    const [policy, limitRules] = await Promise.all([
      source.policy(tenant),
      source.limitRules(tenant),
    ])
    return { policy, limitRules }
  }

  /** Reads the generation, and the rest when it changed. Throws what D1 throws. */
  async function confirm(ctx: CallContext, tenant: TenantId): Promise<TenantSnapshot> {
    const startedIn = epoch
    const confirmedAt = ctx.clock.now()
    // The generation first: a policy read later is at least as new as the generation says.
    const generation = await deps.source.generation(tenant)
    const known = entries.get(tenant)
    const snapshot =
      known?.snapshot.generation === generation
        ? known.snapshot
        : createTenantSnapshot(deps, tenant, generation, await documents(tenant))
    const isOvertaken = (entries.get(tenant)?.confirmedAt ?? confirmedAt) > confirmedAt
    if (startedIn === epoch && !isOvertaken) {
      keep(tenant, { snapshot, confirmedAt, confirmStartedAt: confirmedAt })
    }
    return snapshot
  }

  async function confirmBehind(ctx: CallContext, tenant: TenantId): Promise<void> {
    try {
      await confirm(ctx, tenant)
    } catch (thrown) {
      emitFault(deps.events, ctx, 'registry.snapshot', thrown)
    }
  }

  function tenant(ctx: CallContext, id: TenantId): MaybePromise<TenantSnapshot> {
    const entry = entries.get(id)
    const now = ctx.clock.now()
    const ageMs = entry === undefined ? Number.POSITIVE_INFINITY : now - entry.confirmedAt
    const freshness = freshnessOf(ageMs, deps.freshness)
    if (entry !== undefined && freshness !== 'confirm_first') {
      if (
        freshness === 'use_and_confirm' &&
        mayStartConfirm(entry.confirmStartedAt, now, deps.freshness)
      ) {
        keep(id, { ...entry, confirmStartedAt: now })
        ctx.waitUntil(confirmBehind(ctx, id))
      }
      return entry.snapshot
    }
    return confirmFirst(ctx, id, entry, ageMs)
  }

  async function confirmFirst(
    ctx: CallContext,
    id: TenantId,
    entry: Entry | undefined,
    ageMs: number,
  ): Promise<TenantSnapshot> {
    try {
      return await confirm(ctx, id)
    } catch (thrown) {
      emitFault(deps.events, ctx, 'registry.snapshot', thrown)
      if (entry === undefined || !mayServeStale(ageMs, deps.freshness)) throw unavailable(thrown)
      deps.events.emit({ type: 'stale_policy', requestId: ctx.requestId, tenant: id, ageMs })
      return entry.snapshot
    }
  }

  return {
    tenant,

    async confirmed(ctx, id, atLeast) {
      const known = entries.get(id)?.snapshot
      if (known && atLeast !== undefined && known.generation >= atLeast) return tenant(ctx, id)
      try {
        return await confirm(ctx, id)
      } catch {
        // Tells of it, and serves what may still be served.
        return tenant(ctx, id)
      }
    },

    async actor(ctx, principal) {
      const snapshot = await tenant(ctx, principal.tenant)
      if (isBootstrapAdmin(principal, deps.bootstrapAdmin, snapshot.policy)) {
        deps.events.emit({
          type: 'bootstrap_admin',
          requestId: ctx.requestId,
          principal: principal.key,
        })
      }
      return { principal, rights: snapshot.rights(principal) }
    },

    drop(id) {
      epoch += 1
      entries.delete(id)
    },
  }
}
