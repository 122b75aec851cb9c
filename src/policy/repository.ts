import { eq } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { z } from 'zod'
import { GatewayError, type TenantId } from '../core/index.ts'
import { BUILT_IN_SCOPES, isBuiltInScope } from './roles.ts'
import { type AccessScope, GrantList, PermissionMap, type PolicyDocument } from './scopes.ts'
import { accessScopes, groupMappings, userGroups } from './tables.ts'

export interface PolicyRepository {
  /**
   * The tenant's policy, built-in scopes added. A row that cannot be read throws
   * `policy_unavailable`: half a policy is no policy.
   */
  load(tenant: TenantId): Promise<PolicyDocument>
  /** Statements that make `document` the tenant's policy; for one batch with the audit entry. */
  replaceStatements(tenant: TenantId, document: PolicyDocument, now: number): BatchItem<'sqlite'>[]
}

/** D1 takes 100 bound parameters a statement. */
const MAX_PARAMETERS = 100

export function createPolicyRepository(db: DrizzleD1Database): PolicyRepository {
  return {
    async load(tenant) {
      const [scopes, mappings] = await db.batch([
        db.select().from(accessScopes).where(eq(accessScopes.tenant, tenant)),
        db.select().from(groupMappings).where(eq(groupMappings.tenant, tenant)),
      ])
      const defined = scopes.map((row): [string, AccessScope] => [
        row.name,
        {
          permissions: parseColumn(PermissionMap, row.permissions, row.name),
          grants: parseColumn(GrantList, row.grants, row.name),
        },
      ])
      const byGroup = Map.groupBy(mappings, (row) => row.userGroup)
      return {
        scopes: { ...Object.fromEntries(defined), ...BUILT_IN_SCOPES },
        groupMappings: Object.fromEntries(
          [...byGroup].map(([group, rows]) => [group, rows.map((row) => row.scope)]),
        ),
      }
    },

    replaceStatements(tenant, document, now) {
      const scopes = Object.entries(document.scopes)
        .filter(([name]) => !isBuiltInScope(name))
        .map(([name, scope]) => ({
          tenant,
          name,
          permissions: JSON.stringify(scope.permissions),
          grants: JSON.stringify(scope.grants),
          updatedAt: now,
        }))
      const mappings = Object.entries(document.groupMappings).flatMap(([userGroup, names]) =>
        [...new Set(names)].map((scope) => ({ tenant, userGroup, scope })),
      )
      const groups = Object.keys(document.groupMappings).map((name) => ({ tenant, name }))
      return [
        db.delete(accessScopes).where(eq(accessScopes.tenant, tenant)),
        db.delete(groupMappings).where(eq(groupMappings.tenant, tenant)),
        ...chunks(scopes, 5).map((rows) => db.insert(accessScopes).values(rows)),
        ...chunks(mappings, 3).map((rows) => db.insert(groupMappings).values(rows)),
        // Groups stay when their mapping goes: their description is not the policy's to delete.
        ...chunks(groups, 3).map((rows) =>
          db.insert(userGroups).values(rows).onConflictDoNothing(),
        ),
      ]
    },
  }
}

function parseColumn<T extends z.ZodType>(schema: T, json: string, scope: string): z.output<T> {
  try {
    return schema.parse(JSON.parse(json))
  } catch (cause) {
    const where = new Error(`access scope ${JSON.stringify(scope)} cannot be read`, { cause })
    throw new GatewayError('policy_unavailable', 'The access policy cannot be read.', {
      cause: where,
    })
  }
}

function chunks<T>(rows: readonly T[], columns: number): T[][] {
  const size = Math.floor(MAX_PARAMETERS / columns)
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  )
}
