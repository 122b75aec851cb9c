import { Agent, request } from 'node:http'
import type { SessionsFinding, StreamsFinding } from '../findings.ts'
import { residentMiB } from '../memory.ts'
import { legacyCall, openSession } from '../rows/messages.ts'
import type { Target } from '../rows/row.ts'
import type { RunningWorld } from '../world.ts'
import type { ScalePlan } from './growth.ts'

const SESSIONS = 1_000
const STREAMS = 500
const STREAM_SECONDS = 60
/** How many sessions or streams are being opened at any time. */
const OPENING = 16
const CONCURRENCY = 128
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

/** 500 open GET streams of legacy sessions, each with a stream of its own at the upstream. */
export async function measureStreams(
  world: RunningWorld,
  { say }: ScalePlan,
): Promise<StreamsFinding> {
  const url = await legacyUrl(world)
  const pids = [world.gateway.worker.pid()]
  const sessions = await openSessions(world, url, STREAMS)
  const before = await residentMiB(pids)
  say(`opening ${STREAMS} streams for ${STREAM_SECONDS} s`)
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY })
  const open = new Set<string>()
  try {
    await inParallel(sessions, OPENING, (session) => openStream(world, url, session, agent, open))
    await new Promise((resolve) => setTimeout(resolve, STREAM_SECONDS * 1000))
    const after = await residentMiB(pids)
    const isKnown = before !== undefined && after !== undefined
    return {
      streams: STREAMS,
      seconds: STREAM_SECONDS,
      survived: open.size,
      kibPerStream: isKnown ? ((after - before) * 1024) / STREAMS : undefined,
    }
  } finally {
    agent.destroy()
  }
}

async function legacyUrl(world: RunningWorld): Promise<string> {
  await world.registered(SERVER, world.upstream.url('legacy'))
  return `${world.gateway.origin}/${SERVER}/mcp`
}

function authorization({ gateway }: RunningWorld) {
  return { authorization: `Bearer ${gateway.userToken}` }
}

async function openSessions(world: RunningWorld, url: string, count: number): Promise<string[]> {
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

/** Resolves with the first bytes; the session is in `open` until the stream ends. */
function openStream(
  world: RunningWorld,
  url: string,
  session: string,
  agent: Agent,
  open: Set<string>,
): Promise<void> {
  const headers = {
    ...{ accept: 'text/event-stream', 'mcp-session-id': session },
    ...{ 'mcp-protocol-version': '2025-11-25', ...authorization(world) },
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`a stream was answered with ${response.statusCode}`))
        response.resume()
        return
      }
      open.add(session)
      response.on('close', () => open.delete(session))
      response.on('error', () => open.delete(session))
      response.resume()
      resolve()
    })
    sent.on('error', reject)
    sent.end()
  })
}

async function inParallel<T>(
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
