import { type ServerId, setBounded } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import {
  afterCall,
  afterRetry,
  type BulkheadBounds,
  newBudget,
  type RetryBudget,
} from '../../resilience/index.ts'

/** What holds where a server says nothing. */
export interface SendDefaults {
  /** Calls of one tenant in this isolate. */
  readonly tenantConcurrent: number
  /** Calls at one endpoint; 0 for no bound. */
  readonly endpointConcurrent: number
}

/** Generous: an isolate has 128 MiB, and a call that streams costs about 100 KiB of it. */
export const DEFAULT_SENDING: SendDefaults = { tenantConcurrent: 1_000, endpointConcurrent: 0 }

/** How one server is sent to. */
export interface SendPolicy {
  readonly maxAttempts: number
  readonly hedgeAfterMs: number | undefined
  /** Calls at each of its endpoints. */
  readonly bulkhead: BulkheadBounds | undefined
  /** A call pays for its share of a retry. */
  noteCall(): void
  /** Whether the budget paid for one more sending. */
  payRetry(now: number): boolean
}

/** The first one included. */
const MAX_ATTEMPTS = 2
/** Retries per hundred calls. */
const BUDGET_PERCENT = 20
/** Of calls that wait for an endpoint: more would only wait to be refused. */
const QUEUE = { maxQueued: 100, queueMs: 1_000 }
/** Servers whose budget is remembered; the least recently loaded goes first. */
const MAX_BUDGETS = 5_000

/** The policies of all servers, each made once for as long as its record lives. */
export function createSendPolicies(defaults: SendDefaults): (server: ServerRecord) => SendPolicy {
  const policies = new WeakMap<ServerRecord, SendPolicy>()
  /** They outlive the record, which is loaded anew with every change in the tenant. */
  const budgets = new Map<ServerId, { budget: RetryBudget }>()

  function policyOf(server: ServerRecord): SendPolicy {
    const { retries, hedgeAfterMs, bulkhead } = server.resilience
    const percent = retries?.budgetPercent ?? BUDGET_PERCENT
    const kept = budgets.get(server.id) ?? { budget: newBudget(0) }
    setBounded(budgets, server.id, kept, MAX_BUDGETS)
    const maxConcurrent = bulkhead?.maxConcurrent ?? defaults.endpointConcurrent
    return {
      maxAttempts: retries?.maxAttempts ?? MAX_ATTEMPTS,
      hedgeAfterMs,
      bulkhead:
        maxConcurrent === 0
          ? undefined
          : {
              maxConcurrent,
              maxQueued: bulkhead?.maxQueued ?? QUEUE.maxQueued,
              queueMs: bulkhead?.queueMs ?? QUEUE.queueMs,
            },
      noteCall() {
        const { credit, filledAt } = kept.budget
        kept.budget = { credit: afterCall(credit, percent), filledAt }
      },
      payRetry(now) {
        const left = afterRetry(kept.budget, percent, now)
        if (left) kept.budget = left
        return left !== undefined
      },
    }
  }

  return (server) => {
    const known = policies.get(server)
    if (known) return known
    const policy = policyOf(server)
    policies.set(server, policy)
    return policy
  }
}
