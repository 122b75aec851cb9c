import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { TenantId } from '../core/index.ts'
import { auditStatements, type ChangeEntry, type WriteContext } from '../observability/index.ts'
import { createPolicyRepository, type PolicyDocument } from '../policy/index.ts'
import { runBatch } from './batch-repository.ts'

/** The tenant's policy, written in one batch with its change-log row and the next generation. */
export function createPolicyStore(db: DrizzleD1Database) {
  const policies = createPolicyRepository(db)
  return {
    load: (tenant: TenantId): Promise<PolicyDocument> => policies.load(tenant),

    replace: (
      ctx: WriteContext,
      tenant: TenantId,
      document: PolicyDocument,
      change: ChangeEntry,
    ): Promise<void> =>
      runBatch(db, [
        ...policies.replaceStatements(tenant, document, ctx.clock.now()),
        ...auditStatements(db, ctx, change),
      ]),
  }
}
