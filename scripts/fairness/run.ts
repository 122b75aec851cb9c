import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChaosGateway, startChaosGateway } from '../chaos/gateway.ts'
import { createRandom, seedFor } from '../chaos/random.ts'
import { startUpstream } from '../chaos/upstream/upstream.ts'
import { buildBundle } from '../workerd/build.ts'
import type { Cleanups } from '../workerd/cleanups.ts'
import type { UserTally } from './shares.ts'
import { SERVER, type User, useFor } from './users.ts'

export interface FairnessOptions {
  readonly seed: number
  /** Of each of the two phases. */
  readonly phaseMs: number
  /** Gets an entry for the folder and for each process and server. */
  readonly cleanups: Cleanups
  readonly say: (text: string) => void
}

export interface FairnessRun {
  /** What each tenant may use in a phase. */
  readonly limit: number
  /** Nobody asks for more than there is. */
  readonly below: readonly UserTally[]
  /** Two users of each tenant ask for more than the tenant has. */
  readonly above: readonly UserTally[]
}

const TENANTS = 10
const USERS_PER_TENANT = 10
const GREEDY_PER_TENANT = 2
/** Of a tenant, all its users together. */
const LIMIT_PER_MINUTE = 300
/** Half of the limit in all. */
const BELOW_PER_MINUTE = 15
/** Less than a tenth of the limit, which nobody may take from them. */
const MODEST_PER_MINUTE = 20
/** Either alone would take two thirds. */
const GREEDY_PER_MINUTE = 200

/** A hundred users over ten tenants, twice; each phase has tenants of its own, hence fresh windows. */
export async function runFairness(options: FairnessOptions): Promise<FairnessRun> {
  const { seed, phaseMs, cleanups, say } = options
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-fairness-'))
  cleanups.add(() => rm(folder, { recursive: true, force: true }))
  say('building the gateway')
  await buildBundle(join(folder, 'dist'))
  const upstream = await startUpstream({ name: SERVER, streams: false }, () => {})
  cleanups.add(upstream.stop)
  const below = tenantNames('below')
  const above = tenantNames('above')
  say('starting the gateway')
  const gateway = await startChaosGateway({
    ...{ folder, cleanups },
    tenants: [...below, ...above],
    vars: {
      LIMIT_TENANT_PER_MINUTE: String(LIMIT_PER_MINUTE),
      // The tenant's limit alone binds: what is in question is how it is shared.
      LIMIT_PRINCIPAL_PER_MINUTE: '1000000',
    },
  })
  for (const tenant of [...below, ...above]) {
    const admin = await gateway.admin(tenant)
    const input = { path: SERVER, name: SERVER, endpoints: [{ url: upstream.url('modern') }] }
    await admin.request('POST', '/api/v1/servers', input)
  }
  const phase = async (name: string, tenants: readonly string[], greedy: number) => {
    say(`${name} the limit, for ${phaseMs / 1000} s`)
    const users = await usersOf(gateway, tenants, greedy)
    return Promise.all(
      users.map((user) => {
        const random = createRandom(seedFor(seed, `${user.tenant} ${user.name}`))
        return useFor(user, gateway.urls, phaseMs, random)
      }),
    )
  }
  return {
    limit: (LIMIT_PER_MINUTE * phaseMs) / 60_000,
    below: await phase('below', below, 0),
    above: await phase('above', above, GREEDY_PER_TENANT),
  }
}

function tenantNames(phase: string): string[] {
  return Array.from({ length: TENANTS }, (_, index) => `${phase}-${index + 1}`)
}

function usersOf(
  gateway: ChaosGateway,
  tenants: readonly string[],
  greedy: number,
): Promise<User[]> {
  const modestPerMinute = greedy > 0 ? MODEST_PER_MINUTE : BELOW_PER_MINUTE
  return Promise.all(
    tenants.flatMap((tenant) =>
      Array.from({ length: USERS_PER_TENANT }, async (_, index) => {
        const name = `user-${index + 1}`
        const isGreedy = index < greedy
        const perMinute = isGreedy ? GREEDY_PER_MINUTE : modestPerMinute
        return {
          tenant,
          name,
          isGreedy,
          perMinute,
          token: await gateway.token(tenant, name, 'idp'),
        }
      }),
    ),
  )
}
