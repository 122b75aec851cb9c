import { cpuSecondsOf } from './cpu.ts'
import type { ListFinding } from './findings.ts'
import { modernList } from './rows/messages.ts'
import { median, pairedRatio } from './stats.ts'
import { createTenant } from './tenant.ts'
import { TOOLS_PER_LIST } from './upstream/answers.ts'
import type { RunningWorld } from './world.ts'

/** Servers whose lists are merged, each number in a tenant of its own. */
const SERVER_COUNTS = [1, 10, 50]
/** Cached lists of one sample: a single one is too short for the clock of a process. */
const CACHED_REPEATS = 10
/** Of everything, before the first round: code is compiled. */
const WARM_UPS = 3

export interface ListsPlan {
  readonly rounds: number
  say(text: string): void
}

/**
 * (g) `tools/list` at `/mcp`, all pages of it. Cold is the first list after the tenant's registry
 * has changed, in an isolate whose code is warm: policy, index and catalogue are read from D1 again
 * and every page is built. Cached are those right after it.
 */
export async function measureLists(world: RunningWorld, plan: ListsPlan): Promise<ListFinding[]> {
  const lists: MergedList[] = []
  for (const servers of SERVER_COUNTS) {
    plan.say(`registering ${servers} servers with ${TOOLS_PER_LIST} tools each`)
    lists.push(await startList(world, servers))
  }
  for (let round = 0; round < WARM_UPS; round += 1) {
    for (const list of lists) await list.sample()
  }
  const samples = new Map<MergedList, ListSample[]>(lists.map((list) => [list, []]))
  for (let round = 0; round < plan.rounds; round += 1) {
    plan.say(`lists, round ${round + 1} of ${plan.rounds}`)
    for (const list of lists) samples.get(list)?.push(await list.sample())
  }
  return lists.map((list) => findingOf(list.servers, samples.get(list) ?? []))
}

interface MergedList {
  readonly servers: number
  sample(): Promise<ListSample>
}

interface ListCost {
  readonly ms: number
  readonly cpuMs: number | undefined
}

interface ListSample {
  readonly pages: number
  readonly cold: ListCost
  /** Of one list. */
  readonly cached: ListCost
  readonly upstreamRequests: number
}

async function startList(world: RunningWorld, servers: number): Promise<MergedList> {
  const { gateway, upstream } = world
  const { api, userToken } = await createTenant(gateway, `lists-${servers}`)
  for (let at = 0; at < servers; at += 1) {
    const path = `list-${at}`
    const endpoints = [{ url: upstream.url('lists', at) }]
    await api.request('POST', '/api/v1/servers', { path, name: path, endpoints })
  }
  const pids = [gateway.worker.pid()]
  const list = () => readList(`${gateway.origin}/mcp`, userToken, servers * TOOLS_PER_LIST)
  let changes = 0
  return {
    servers,
    async sample() {
      changes += 1
      await api.request('PATCH', '/api/v1/servers/list-0', { description: `change ${changes}` })
      const { result: pages, cost: cold } = await costOf(pids, list)
      const before = await upstream.requests()
      const { cost } = await costOf(pids, async () => {
        for (let repeat = 0; repeat < CACHED_REPEATS; repeat += 1) await list()
      })
      const upstreamRequests = (await upstream.requests()) - before
      const cpuMs = cost.cpuMs === undefined ? undefined : cost.cpuMs / CACHED_REPEATS
      return { pages, cold, cached: { ms: cost.ms / CACHED_REPEATS, cpuMs }, upstreamRequests }
    },
  }
}

async function costOf<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<{ result: T; cost: ListCost }> {
  const before = await cpuSecondsOf(pids)
  const startedAt = performance.now()
  const result = await work()
  const ms = performance.now() - startedAt
  const after = await cpuSecondsOf(pids)
  const isKnown = before !== undefined && after !== undefined
  return { result, cost: { ms, cpuMs: isKnown ? (after - before) * 1000 : undefined } }
}

/** Reads every page; gives their number. Throws when tools are missing. */
async function readList(url: string, token: string, tools: number): Promise<number> {
  let cursor: string | undefined
  let seen = 0
  let pages = 0
  do {
    const { headers, body } = modernList(cursor)
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${token}` },
      body,
    })
    const text = await response.text()
    if (!response.ok)
      throw new Error(`tools/list answered ${response.status}: ${text.slice(0, 300)}`)
    // Not parsed: it is the gateway's time that counts. Its own tools are in the list as well.
    seen += text.split('"name":"list-').length - 1
    pages += 1
    cursor = /"nextCursor":"([^"]+)"/.exec(text)?.[1]
  } while (cursor !== undefined)
  if (seen !== tools) throw new Error(`tools/list gave ${seen} of ${tools} tools`)
  return pages
}

function findingOf(servers: number, samples: readonly ListSample[]): ListFinding {
  const cpu = (read: (sample: ListSample) => ListCost) => {
    const values = samples.flatMap((sample) => read(sample).cpuMs ?? [])
    return values.length === samples.length ? median(values) : undefined
  }
  const coldCpuMs = cpu(({ cold }) => cold)
  const price = ({ ms, cpuMs }: ListCost) => (coldCpuMs === undefined ? ms : (cpuMs ?? ms))
  return {
    servers,
    tools: servers * TOOLS_PER_LIST,
    pages: samples[0]?.pages ?? 0,
    coldMs: median(samples.map(({ cold }) => cold.ms)),
    cachedMs: median(samples.map(({ cached }) => cached.ms)),
    coldCpuMs,
    cachedCpuMs: cpu(({ cached }) => cached),
    coldOverCached: pairedRatio(samples.map(({ cold, cached }) => [price(cold), price(cached)])),
    cachedUpstreamRequests: samples.reduce((sum, one) => sum + one.upstreamRequests, 0),
  }
}
