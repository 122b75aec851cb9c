import { drizzle } from 'drizzle-orm/d1'
import { createCatalogRepository } from './catalog-repository.ts'
import { createHealthRepository } from './health-repository.ts'
import { createLimitRuleRepository } from './limit-rules/limit-rule-repository.ts'
import { createOfferRepository } from './offers/offer-repository.ts'
import { createPolicyStore } from './policy-repository.ts'
import { createServerRepository } from './server-repository.ts'
import { createSnapshotRepository } from './snapshot-repository.ts'
import { createVirtualRepository } from './virtual/virtual-repository.ts'

/** Everything that the registry keeps in D1. */
export interface Repositories {
  readonly servers: ReturnType<typeof createServerRepository>
  readonly catalog: ReturnType<typeof createCatalogRepository>
  readonly health: ReturnType<typeof createHealthRepository>
  readonly policies: ReturnType<typeof createPolicyStore>
  readonly snapshots: ReturnType<typeof createSnapshotRepository>
  readonly offers: ReturnType<typeof createOfferRepository>
  readonly limitRules: ReturnType<typeof createLimitRuleRepository>
  readonly virtuals: ReturnType<typeof createVirtualRepository>
}

/** Opens the repositories over one database. */
export function createRepositories(d1: D1Database): Repositories {
  const db = drizzle(d1)
  return {
    servers: createServerRepository(db),
    catalog: createCatalogRepository(db),
    health: createHealthRepository(db),
    policies: createPolicyStore(db),
    snapshots: createSnapshotRepository(db),
    offers: createOfferRepository(db),
    limitRules: createLimitRuleRepository(db),
    virtuals: createVirtualRepository(db),
  }
}
