import { and, asc, eq, sql } from 'drizzle-orm'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { z } from 'zod'
import { GatewayError, type TenantId } from '../../core/index.ts'
import { type LimitRule, LimitRuleInput, MAX_LIMIT_RULES } from '../../limits/index.ts'
import { auditStatements, type ChangeEntry, type WriteContext } from '../../observability/index.ts'
import { isConstraintFault, runBatch } from '../batch-repository.ts'
import { jsonOf } from '../rows.ts'
import { limitRules } from '../tables.ts'
import type { StoredLimitRule } from './limit-rule-views.ts'

const LimitRuleRow = z.object({
  id: z.string(),
  rule: jsonOf(LimitRuleInput),
  createdAt: z.number(),
  updatedAt: z.number(),
})

/** Limit rules. Every write is one batch with its change-log row and the next generation. */
export function createLimitRuleRepository(db: DrizzleD1Database) {
  const at = (tenant: TenantId, id: string) =>
    and(eq(limitRules.tenant, tenant), eq(limitRules.id, id))

  return {
    /** All of the tenant, by name. */
    async list(tenant: TenantId): Promise<StoredLimitRule[]> {
      const rows = await db
        .select()
        .from(limitRules)
        .where(eq(limitRules.tenant, tenant))
        .orderBy(asc(limitRules.name))
        .limit(MAX_LIMIT_RULES)
      return rows.map(read)
    },

    async find(tenant: TenantId, id: string): Promise<StoredLimitRule | undefined> {
      const [row] = await db.select().from(limitRules).where(at(tenant, id)).limit(1)
      return row === undefined ? undefined : read(row)
    },

    /** Throws `conflict` for a name that is taken and for a rule too many. */
    async insert(
      ctx: WriteContext,
      tenant: TenantId,
      { id, ...rule }: LimitRule,
      change: ChangeEntry,
    ): Promise<void> {
      const now = ctx.clock.now()
      const count = sql`(select count(*) from ${limitRules} where ${limitRules.tenant} = ${tenant})`
      const values = {
        id,
        tenant,
        // Null breaks the constraint, and with it the batch, also for two who write at once.
        name: sql<string>`case when ${count} < ${MAX_LIMIT_RULES} then ${rule.name} end`,
        rule: JSON.stringify(rule),
        createdAt: now,
        updatedAt: now,
      }
      try {
        await runBatch(db, [
          db.insert(limitRules).values(values),
          ...auditStatements(db, ctx, change),
        ])
      } catch (cause) {
        if (isConstraintFault(cause, 'NOT NULL')) throw tooMany(cause)
        throw isConstraintFault(cause, 'UNIQUE') ? nameTaken(rule.name, cause) : cause
      }
    },

    /**
     * Gives the new `updatedAt`, which is the rule's version too. Throws `conflict` for a name that
     * is taken, or when the rule was changed meanwhile.
     */
    async update(
      ctx: WriteContext,
      tenant: TenantId,
      { rule: { id }, updatedAt }: StoredLimitRule,
      rule: LimitRuleInput,
      change: ChangeEntry,
    ): Promise<number> {
      // Later than before, also for two who write within one millisecond.
      const now = Math.max(ctx.clock.now(), updatedAt + 1)
      const name = sql<string>`case when ${limitRules.updatedAt} = ${updatedAt} then ${rule.name} end`
      try {
        await runBatch(db, [
          db
            .update(limitRules)
            .set({ name, rule: JSON.stringify(rule), updatedAt: now })
            .where(at(tenant, id)),
          ...auditStatements(db, ctx, change),
        ])
      } catch (cause) {
        if (isConstraintFault(cause, 'NOT NULL')) throw changedMeanwhile(cause)
        throw isConstraintFault(cause, 'UNIQUE') ? nameTaken(rule.name, cause) : cause
      }
      return now
    },

    async remove(
      ctx: WriteContext,
      tenant: TenantId,
      id: string,
      change: ChangeEntry,
    ): Promise<void> {
      await runBatch(db, [
        db.delete(limitRules).where(at(tenant, id)),
        ...auditStatements(db, ctx, change),
      ])
    },
  }
}

function read(row: unknown): StoredLimitRule {
  const { id, rule, createdAt, updatedAt } = LimitRuleRow.parse(row)
  return { rule: { id, ...rule }, createdAt, updatedAt }
}

function nameTaken(name: string, cause: unknown): GatewayError {
  return new GatewayError('conflict', `A limit is already named ${JSON.stringify(name)}.`, {
    cause,
  })
}

function tooMany(cause: unknown): GatewayError {
  return new GatewayError('conflict', `A tenant has at most ${MAX_LIMIT_RULES} limits.`, {
    cause,
    fix: 'Delete one first, or let one match what two did.',
  })
}

function changedMeanwhile(cause: unknown): GatewayError {
  return new GatewayError('conflict', 'The limit was changed meanwhile.', {
    cause,
    fix: 'Read it again, and change it as it is now.',
  })
}
