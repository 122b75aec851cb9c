import { type Principal, type RateLimitNote, TenantId } from '../../src/core/index.ts'
import {
  compileRules,
  createLimits,
  type LimitRule,
  LimitRuleInput,
  type Limits,
  type LimitTarget,
} from '../../src/limits/index.ts'
import type { LeaseRequest } from '../../src/limits/lease.ts'
import { createLedger, type Ledger, type LedgerStore } from '../../src/limits/ledger.ts'
import type { LimitsConfig } from '../../src/limits/limits.ts'
import type { GatewayEvent } from '../../src/observability/index.ts'

/** The beginning of a minute, an hour and a day, in the middle of a month. */
export const T = Date.UTC(2026, 5, 15)

/** A ledger's storage, in memory and in order. */
export function memoryStore(): LedgerStore & { readonly map: Map<string, unknown> } {
  const map = new Map<string, unknown>()
  return {
    map,
    get: (key) => structuredClone(map.get(key)),
    put: (key, value) => void map.set(key, structuredClone(value)),
    delete: (key) => void map.delete(key),
    list: (prefix) => [...map].filter(([key]) => key.startsWith(prefix)).sort(),
  }
}

export function ruleOf(
  part: Partial<LimitRuleInput> & Pick<LimitRule, 'per' | 'limit'>,
): LimitRule {
  const window = part.windowMs === undefined ? { window: 'minute' as const } : {}
  const rule = LimitRuleInput.parse({ name: 'rule', ...window, ...part })
  return { id: `id-of-${rule.name}`, ...rule }
}

const USUAL: LimitsConfig = { principalPerMinute: 600, tenantPerMinute: 6_000 }

export interface WorldOptions {
  readonly config?: LimitsConfig
  readonly rules?: readonly LimitRule[]
  /** Epoch ms; `T` without. */
  readonly startAt?: number
}

/** The limiter objects of all tenants as the real ones work, and any number of isolates before them. */
export function world(options: WorldOptions = {}) {
  const { config = USUAL, rules: given = [], startAt = T } = options
  const ledgers = new Map<string, Ledger>()
  const events: GatewayEvent[] = []
  const behind: Promise<unknown>[] = []
  const calls: (readonly LeaseRequest[])[] = []
  const state = {
    now: startAt,
    isDown: false,
    /** Whether an answer of the object is lost on its way. */
    isLost: () => false,
  }
  let rules = compileRules(given)
  const ledgerOf = (tenant: string): Ledger => {
    const ledger = ledgers.get(tenant) ?? createLedger(memoryStore())
    ledgers.set(tenant, ledger)
    return ledger
  }
  const object = (tenant: TenantId) => ({
    async lease(requests: readonly LeaseRequest[]) {
      calls.push(requests)
      await Promise.resolve()
      if (state.isDown) throw new Error('the object is away')
      const grants = ledgerOf(tenant).lease(requests, state.now)
      if (state.isLost()) throw new Error('the answer is lost')
      return grants
    },
  })
  const isolate = () => createLimits({ config, events: { emit: (e) => events.push(e) }, object })
  /** `skewMs`: how far the isolate's clock is ahead of the object's. */
  const contextOf = (skewMs = 0, rateLimit: RateLimitNote = {}) => ({
    clock: { now: () => state.now + skewMs },
    requestId: 'request-1',
    rateLimit,
    waitUntil: (work: Promise<unknown>) => void behind.push(work),
  })
  const ctx = contextOf()
  const admit = async (limits: Limits, who: Principal = alice, skewMs = 0) =>
    limits.admit(skewMs === 0 ? ctx : contextOf(skewMs), who, rules)
  const admitTarget = async (limits: Limits, target: LimitTarget, who: Principal = alice) =>
    limits.admitTarget(ctx, who, rules, target)
  const settle = () => Promise.all(behind.splice(0))
  const setRules = (next: readonly LimitRule[]) => {
    rules = compileRules(next)
  }
  return {
    ...{ state, events, calls, isolate, admit, admitTarget, settle, behind, setRules, ctx },
    ...{ contextOf, ledgerOf, rules: () => rules },
  }
}

export function principal(name: string, tenant = 'acme', part: Partial<Principal> = {}): Principal {
  return {
    issuer: 'https://idp.example',
    subject: name,
    kind: 'user',
    tenant: TenantId.parse(tenant),
    groups: [],
    scopes: [],
    expiresAt: 0,
    key: `https://idp.example#${name}`,
    claims: {},
    ...part,
  }
}
export const alice = principal('alice')
export const bob = principal('bob')

/** How many of so many tries were admitted. */
export async function admitted(
  times: number,
  one: () => Promise<{ readonly kind: string }>,
): Promise<number> {
  let count = 0
  for (let call = 0; call < times; call += 1) {
    if ((await one()).kind === 'admitted') count += 1
  }
  return count
}
