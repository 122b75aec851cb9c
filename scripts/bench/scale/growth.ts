import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type OwnGateway, startOwnGateway } from '../../workerd/own-gateway.ts'
import { checkAnswer } from '../check-answer.ts'
import { ratioOf } from '../compare.ts'
import type { GrowthFinding } from '../findings.ts'
import type { LoadTool } from '../load/load.ts'
import { measureInterleaved } from '../measure.ts'
import { modernCall } from '../rows/messages.ts'
import type { Target, Variant } from '../rows/row.ts'
import { summarise } from '../summary.ts'
import type { RunningWorld } from '../world.ts'
import { cloneServers, cloneTenants } from './clone.ts'

/** What a scale run is given. */
export interface ScalePlan {
  readonly rounds: number
  readonly seconds: number
  readonly tool: LoadTool
  say(text: string): void
}

const REGISTERED = [10, 1_000, 10_000]
const TENANTS = [1, 50, 1_000]
/** How many servers or tenants the calls go to. */
const SPREAD = 50
const CONCURRENCY = 32
const WARM_UP_SECONDS = 3

/** The same call with more and more servers registered in the tenant. */
export function measureRegistered(world: RunningWorld, plan: ScalePlan): Promise<GrowthFinding[]> {
  return measureGrowth(world, plan, 'registered', REGISTERED, async (gateway, count) => {
    const path = 'bench'
    const order = { tenant: 'default', path, toTenant: 'default', count, serial: 1 }
    await cloneServers(gateway.worker, order)
    const headers = { authorization: `Bearer ${gateway.userToken}` }
    return spread(count).map((at) => ({ path: `/${path}-${at}/mcp`, headers }))
  })
}

/** The same call with more and more tenants, each with a server of its own. */
export function measureTenants(world: RunningWorld, plan: ScalePlan): Promise<GrowthFinding[]> {
  return measureGrowth(world, plan, 'tenants', TENANTS, async (gateway, count) => {
    await cloneTenants(gateway.worker, { tenant: 'default', path: 'bench' }, 'scale', count)
    return Promise.all(
      spread(count).map(async (at): Promise<Variant> => {
        const holder = { subject: 'user', group: 'mcp-registry-user', tenant: `scale-${at}` }
        const token = await gateway.tokenFor(holder)
        return { path: '/bench/mcp', headers: { authorization: `Bearer ${token}` } }
      }),
    )
  })
}

/** Numbers from 1 to `count`, evenly apart. Pure. */
export function spread(count: number): number[] {
  const many = Math.min(SPREAD, count)
  return Array.from({ length: many }, (_, at) => Math.floor((at * count) / many) + 1)
}

type Populate = (gateway: OwnGateway, count: number) => Promise<readonly Variant[]>

/** A gateway of its own for each count: what others have stored must not weigh on it. */
async function measureGrowth(
  world: RunningWorld,
  plan: ScalePlan,
  what: string,
  counts: readonly number[],
  populate: Populate,
): Promise<GrowthFinding[]> {
  const targets: Target[] = []
  for (const count of counts) {
    plan.say(`${what}: a gateway with ${count}`)
    const name = `${what}-${count}`
    const folder = join(world.folder, name)
    await cp(join(world.folder, 'dist'), join(folder, 'dist'), { recursive: true })
    const server = { path: 'bench', url: world.upstream.url('modern') }
    const gateway = await startOwnGateway({ folder, server, discardOutput: true })
    world.onStop(gateway.worker.stop)
    const variants = await populate(gateway, count)
    targets.push(await checkedTarget(name, gateway, variants))
  }
  const { rounds, seconds, tool, say } = plan
  const samples = await measureInterleaved({
    ...{ targets, rounds, seconds, say },
    concurrencies: [CONCURRENCY],
    warmUpSeconds: WARM_UP_SECONDS,
    prepare: checkAnswer,
    toolFor: () => tool,
  })
  const rows = summarise(samples, targets, [CONCURRENCY])
  const smallest = targets[0]?.name ?? ''
  return counts.flatMap((count, at): GrowthFinding[] => {
    const row = rows[at]
    if (!row) return []
    const compared = { target: row.target, with: smallest, concurrency: CONCURRENCY }
    const costRatio =
      ratioOf(samples, 'cpuMicrosPerRequest', compared) ?? ratioOf(samples, 'p50Ms', compared)
    const { requestsPerSecond, p50Ms, cpuMicrosPerRequest } = row
    return costRatio ? [{ count, requestsPerSecond, p50Ms, cpuMicrosPerRequest, costRatio }] : []
  })
}

/** Every variant is asked once: a copy that answered with an error would be cheap. */
async function checkedTarget(
  name: string,
  gateway: OwnGateway,
  variants: readonly Variant[],
): Promise<Target> {
  const target: Target = {
    ...{ name, ...modernCall('echo'), answer: 'message', variants },
    url: gateway.origin,
    pids: [gateway.worker.pid()],
  }
  await checkAnswer(target)
  return target
}
