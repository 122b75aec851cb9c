import { env } from 'cloudflare:workers'
import type { BatchItem } from 'drizzle-orm/batch'
import { drizzle } from 'drizzle-orm/d1'
import { describe, expect, it } from 'vitest'
import { TenantId } from '../../src/core/index.ts'
import { createPolicyRepository, parsePolicySeed } from '../../src/policy/index.ts'
import { seed } from './sample.ts'

const db = drizzle(env.DB)
const repository = createPolicyRepository(db)
const tenant = TenantId.parse('policy-repository')
const other = TenantId.parse('policy-repository-other')

async function replace(of: TenantId, input: unknown): Promise<void> {
  const statements = repository.replaceStatements(of, parsePolicySeed(input), 1)
  const [first, ...rest]: BatchItem<'sqlite'>[] = statements
  if (first !== undefined) await db.batch([first, ...rest])
}

describe('the policy repository', () => {
  it('gives back what was written, with the roles, more rows than one statement can bind', async () => {
    const groups = Array.from({ length: 90 }, (_, index) => [`g${index}`, ['user', 'admin']])
    const scopes = Array.from({ length: 45 }, (_, index) => [
      `s${index}`,
      [{ server: 'x', methods: ['*'] }],
    ])
    const large = {
      ...seed,
      ...Object.fromEntries(scopes),
      group_mappings: { ...seed.group_mappings, ...Object.fromEntries(groups) },
    }
    await replace(tenant, large)
    const loaded = await repository.load(tenant)
    const written = parsePolicySeed(large)
    expect(loaded.scopes).toEqual(written.scopes)
    const sets = (mappings: Readonly<Record<string, readonly string[]>>) =>
      Object.fromEntries(Object.entries(mappings).map(([group, names]) => [group, new Set(names)]))
    expect(sets(loaded.groupMappings)).toEqual(sets(written.groupMappings))
  })

  it('replaces the whole policy of one tenant and nothing of another', async () => {
    await replace(tenant, seed)
    await replace(other, { group_mappings: { g: ['admin'] } })
    await replace(tenant, { group_mappings: { h: ['user'] } })
    expect((await repository.load(tenant)).groupMappings).toEqual({ h: ['user'] })
    expect(Object.keys((await repository.load(tenant)).scopes)).toEqual([
      'admin',
      'server_owner',
      'user',
    ])
    expect((await repository.load(other)).groupMappings).toEqual({ g: ['admin'] })
  })

  it('gives the roles alone to a tenant without rows', async () => {
    const loaded = await repository.load(TenantId.parse('policy-repository-empty'))
    expect(loaded.groupMappings).toEqual({})
    expect(Object.keys(loaded.scopes)).toEqual(['admin', 'server_owner', 'user'])
  })

  it.each([
    ['no JSON', '{"list_service":', '[]'],
    ['an unknown permission', '{"fly":["all"]}', '[]'],
    ['a grant with an unknown member', '{}', '[{"server":"x","methods":["*"],"deny":true}]'],
  ])('refuses to load a policy with %s in a row', async (why, permissions, grants) => {
    const of = TenantId.parse(`policy-corrupt-${why.length}`)
    await env.DB.prepare(
      'INSERT INTO access_scopes (tenant, name, permissions, grants, updated_at) VALUES (?, ?, ?, ?, 1)',
    )
      .bind(of, 'broken', permissions, grants)
      .run()
    await expect(repository.load(of)).rejects.toMatchObject({
      code: 'policy_unavailable',
      message: 'The access policy cannot be read.',
    })
  })

  it('finds a tenant by an index in every query', async () => {
    for (const table of ['access_scopes', 'group_mappings', 'user_groups']) {
      const plan = await env.DB.prepare(
        `EXPLAIN QUERY PLAN SELECT * FROM ${table} WHERE tenant = ?`,
      )
        .bind(tenant)
        .all<{ detail: string }>()
      expect(plan.results.map((row) => row.detail).join()).toMatch(/^SEARCH .*\(tenant=\?\)/)
    }
  })
})
