import { residentMiB } from '../../workerd/resident.ts'
import type { SessionsFinding } from '../findings.ts'
import { legacyCall, openSession } from '../rows/messages.ts'
import type { Target } from '../rows/row.ts'
import type { RunningWorld } from '../world.ts'
import type { ScalePlan } from './growth.ts'

const SESSIONS = 1_000
/** How many are being opened at any time. */
const OPENING = 16
const CONCURRENCY = 32
const WARM_UP_SECONDS = 3
const SERVER = 'bench-legacy'

/** 1,000 legacy sessions at once, calls spread over all of them. */
export async function measureSessions(
  world: RunningWorld,
  { seconds, rounds, tool, say }: ScalePlan,
): Promise<SessionsFinding> {
  const url = await legacyUrl(world)
  const pids = [world.gateway.worker.pid()]
  const warm = targetOf(world, url, await openSessions(world, url, 1))
  await tool.run({ target: warm, concurrency: CONCURRENCY, seconds: WARM_UP_SECONDS })
  const residentMiBBefore = await residentMiB(pids)
  say(`opening ${SESSIONS} legacy sessions`)
  const target = targetOf(world, url, await openSessions(world, url, SESSIONS))
  const all = { target, concurrency: CONCURRENCY, seconds: seconds * rounds }
  const result = await tool.run(all)
  return {
    sessions: SESSIONS,
    calls: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    residentMiBBefore,
    residentMiBAfter: await residentMiB(pids),
  }
}

/** The gateway's endpoint in front of a legacy server. */
export async function legacyUrl(world: RunningWorld): Promise<string> {
  await world.registered(SERVER, world.upstream.url('legacy'))
  return `${world.gateway.origin}/${SERVER}/mcp`
}

/** Of the one user. */
export function authorization({ gateway }: RunningWorld) {
  return { authorization: `Bearer ${gateway.userToken}` }
}

/** Ids of new sessions of the one user. */
export async function openSessions(
  world: RunningWorld,
  url: string,
  count: number,
): Promise<string[]> {
  const opened: string[] = []
  await inParallel(Array.from({ length: count }), OPENING, async () => {
    opened.push(await openSession(url, authorization(world)))
  })
  return opened
}

function targetOf(world: RunningWorld, url: string, sessions: readonly string[]): Target {
  const [first = ''] = sessions
  const call = legacyCall('echo', first)
  return {
    name: `sessions-${sessions.length}`,
    url,
    ...call,
    headers: { ...call.headers, ...authorization(world) },
    pids: [world.gateway.worker.pid()],
    answer: 'message',
    variants: sessions.map((session) => ({
      path: new URL(url).pathname,
      headers: { 'mcp-session-id': session },
    })),
  }
}

/** Runs `work` on each item, `atOnce` at any time. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
