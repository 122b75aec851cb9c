import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FaultKind } from '../../test/support/faults.ts'
import { type FaultyProxy, startFaultyProxy } from '../../test/support/faulty-proxy.ts'
import { buildBundle } from '../workerd/build.ts'
import type { Cleanups } from '../workerd/cleanups.ts'
import { type ChaosGateway, startChaosGateway } from './gateway.ts'
import { SERVERS, TENANTS } from './servers.ts'
import { type Execution, startUpstream } from './upstream/upstream.ts'

/** The gateway, six servers behind it, and a proxy in front of each endpoint. */
export interface World {
  readonly gateway: ChaosGateway
  readonly executions: readonly Execution[]
  /** Of the server's first endpoint. */
  use(server: string, fault: FaultKind | undefined): Promise<void>
  /** How many requests met each fault so far. */
  faultsMet(): ReadonlyMap<FaultKind, number>
}

/** The shortest that a server may have: a call that hangs costs its client this. */
const SHAKY_TIMEOUT_MS = 1_500
/** Breakers open after three failures for a second, and for at most four, to be seen at work. */
const BREAKER = { failureThreshold: 3, openMs: 1_000, maxOpenMs: 4_000 }

/** Builds and starts all of it with fresh state, on ports of its own. `cleanups` gets each part. */
export async function startWorld(cleanups: Cleanups, say: (text: string) => void): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-chaos-'))
  cleanups.add(() => rm(folder, { recursive: true, force: true }))
  say('building the gateway')
  await buildBundle(join(folder, 'dist'))

  say('starting the gateway and its upstreams')
  const executions: Execution[] = []
  const proxies = new Map<string, readonly FaultyProxy[]>()
  for (const server of SERVERS) {
    const upstream = await startUpstream(server, (execution) => executions.push(execution))
    cleanups.add(upstream.stop)
    const own: FaultyProxy[] = []
    while (own.length < server.endpoints) {
      const proxy = await startFaultyProxy({
        target: upstream.url(server.speaks),
        flipped: upstream.url(server.speaks === 'legacy' ? 'modern' : 'legacy'),
      })
      cleanups.add(proxy.stop)
      own.push(proxy)
    }
    proxies.set(server.name, own)
  }
  const gateway = await startChaosGateway({
    ...{ folder, cleanups },
    tenants: TENANTS,
    vars: {
      // Limits have a run of their own (`npm run fairness`).
      LIMIT_PRINCIPAL_PER_MINUTE: '1000000',
      LIMIT_TENANT_PER_MINUTE: '10000000',
      BREAKER_FAILURE_THRESHOLD: String(BREAKER.failureThreshold),
      BREAKER_OPEN_MS: String(BREAKER.openMs),
    },
  })
  await registerAll(gateway, proxies)
  return {
    gateway,
    executions,
    use: async (server, fault) => proxies.get(server)?.[0]?.use(fault),
    faultsMet: () => addUp([...proxies.values()].flat().map(({ met }) => met)),
  }
}

async function registerAll(
  gateway: ChaosGateway,
  proxies: ReadonlyMap<string, readonly FaultyProxy[]>,
): Promise<void> {
  for (const tenant of TENANTS) {
    const admin = await gateway.admin(tenant)
    for (const { name, isSteady, resilience } of SERVERS) {
      await admin.request('POST', '/api/v1/servers', {
        path: name,
        name,
        endpoints: proxies.get(name)?.map(({ url }) => ({ url })),
        trustAnnotations: true,
        ...(isSteady
          ? {}
          : { timeoutMs: SHAKY_TIMEOUT_MS, resilience: { ...resilience, breaker: BREAKER } }),
      })
    }
  }
}

function addUp(maps: readonly ReadonlyMap<FaultKind, number>[]): ReadonlyMap<FaultKind, number> {
  const sum = new Map<FaultKind, number>()
  for (const [kind, count] of maps.flatMap((map) => [...map])) {
    sum.set(kind, (sum.get(kind) ?? 0) + count)
  }
  return sum
}
