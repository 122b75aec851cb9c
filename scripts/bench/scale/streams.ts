import { Agent, request } from 'node:http'
import { residentMiB } from '../../workerd/resident.ts'
import type { StreamsFinding } from '../findings.ts'
import { LEGACY_VERSION } from '../rows/messages.ts'
import type { RunningWorld } from '../world.ts'
import type { ScalePlan } from './growth.ts'
import { authorization, inParallel, legacyUrl, openSessions } from './sessions.ts'

const STREAMS = 500
/** How long all of them stay open. */
const STREAM_SECONDS = 60
/** Before memory is read: what opening left behind is collected meanwhile. */
const SETTLE_SECONDS = 20
const OPENING = 16

/**
 * 500 open GET streams of legacy sessions, each with a stream of its own at the upstream. Memory per
 * stream is what the second half of them adds to the first, so that what the first streams bring
 * once (compiled code, a larger heap) is not counted.
 */
export async function measureStreams(
  world: RunningWorld,
  { say }: ScalePlan,
): Promise<StreamsFinding> {
  const url = await legacyUrl(world)
  const pids = [world.gateway.worker.pid()]
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY })
  const open = new Set<string>()
  const half = STREAMS / 2
  const openMore = async (): Promise<void> => {
    const sessions = await openSessions(world, url, half)
    await inParallel(sessions, OPENING, (session) => openStream(world, url, session, agent, open))
  }
  try {
    say(`opening ${half} streams`)
    await openMore()
    await seconds(SETTLE_SECONDS)
    const before = await residentMiB(pids)
    say(`opening ${half} more, all for ${STREAM_SECONDS} s`)
    await openMore()
    await seconds(STREAM_SECONDS)
    const after = await residentMiB(pids)
    const isKnown = before !== undefined && after !== undefined
    return {
      streams: STREAMS,
      seconds: STREAM_SECONDS,
      survived: open.size,
      kibPerStream: isKnown ? ((after - before) * 1024) / half : undefined,
    }
  } finally {
    agent.destroy()
  }
}

/** Resolves with the headers; the session is in `open` until the stream ends. */
function openStream(
  world: RunningWorld,
  url: string,
  session: string,
  agent: Agent,
  open: Set<string>,
): Promise<void> {
  const headers = {
    ...authorization(world),
    accept: 'text/event-stream',
    'mcp-session-id': session,
    'mcp-protocol-version': LEGACY_VERSION,
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers }, (response) => {
      response.resume()
      if (response.statusCode !== 200) {
        reject(new Error(`a stream was answered with ${response.statusCode}`))
        return
      }
      open.add(session)
      response.on('close', () => open.delete(session))
      response.on('error', () => open.delete(session))
      resolve()
    })
    sent.on('error', reject)
    sent.end()
  })
}

function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000))
}
