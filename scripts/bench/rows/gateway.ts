import { startByHand, startCeiling } from './bare-worker.ts'
import { legacyCall, modernCall, openSession } from './messages.ts'
import type { Row, Target, World } from './row.ts'

/** Servers that are registered when a call goes through the shared endpoint. */
const SHARED_SERVERS = 20

/** (c) A modern `tools/call`, with its ceiling (b). */
export const modern: Row = {
  letter: 'c',
  isQuick: true,
  async start(world) {
    const { target, upstreamUrl } = await modernTarget(world)
    return withCeiling(world, target, 'ceiling-modern', upstreamUrl)
  },
}

/** (d) A legacy `tools/call` in a session, with its ceiling (b). */
export const legacy: Row = {
  letter: 'd',
  isQuick: true,
  async start(world) {
    const upstreamUrl = world.upstream.url('legacy')
    await world.registered('bench-legacy', upstreamUrl)
    const path = '/bench-legacy/mcp'
    const session = await openSession(world.gateway.origin + path, authorization(world))
    const target = gatewayTarget(world, 'gateway-legacy', path, legacyCall('echo', session))
    return withCeiling(world, target, 'ceiling-legacy', upstreamUrl)
  },
}

/** (e) A modern `tools/call` at the endpoint of all servers, with a ceiling (b) of its own. */
export const aggregated: Row = {
  letter: 'e',
  isQuick: false,
  async start(world) {
    const urls = Array.from({ length: SHARED_SERVERS }, (_, at) => world.upstream.url('modern', at))
    for (const [at, url] of urls.entries()) await world.registered(`shared-${at}`, url)
    const call = modernCall('shared-7__echo')
    const target = gatewayTarget(world, 'gateway-shared', '/mcp', call)
    return withCeiling(world, target, 'ceiling-shared', urls[7] ?? '')
  },
}

/** (f) A modern call that is answered by a stream with progress, with its ceiling (b). */
export const streamed: Row = {
  letter: 'f',
  isQuick: true,
  async start(world) {
    const upstreamUrl = world.upstream.url('modern')
    await world.registered('bench', upstreamUrl)
    const call = modernCall('progress', { progressToken: 'bench' })
    const target = gatewayTarget(world, 'gateway-stream', '/bench/mcp', call, 'stream')
    return withCeiling(world, target, 'ceiling-stream', upstreamUrl)
  },
}

/** (j) No gateway: what (c) cannot go without, done by hand, with a ceiling (b) of its own. */
export const byHand: Row = {
  letter: 'j',
  isQuick: false,
  async start(world) {
    const { target: of, upstreamUrl } = await modernTarget(world)
    const target = await startByHand(world, { name: 'by-hand', of, upstreamUrl })
    return withCeiling(world, target, 'ceiling-by-hand', upstreamUrl)
  },
}

async function modernTarget(world: World) {
  const upstreamUrl = world.upstream.url('modern')
  await world.registered('bench', upstreamUrl)
  const target = gatewayTarget(world, 'gateway-modern', '/bench/mcp', modernCall('echo'))
  return { target, upstreamUrl }
}

async function withCeiling(
  world: World,
  target: Target,
  name: string,
  upstreamUrl: string,
): Promise<Target[]> {
  const ceiling = await startCeiling(world, { name, of: target, upstreamUrl })
  return [ceiling, { ...target, ceiling: name }]
}

function gatewayTarget(
  world: World,
  name: string,
  path: string,
  call: Pick<Target, 'headers' | 'body' | 'expect'>,
  answer: Target['answer'] = 'message',
): Target {
  return {
    name,
    url: world.gateway.origin + path,
    ...call,
    headers: { ...call.headers, ...authorization(world) },
    pids: [world.gateway.worker.pid()],
    answer,
  }
}

function authorization({ gateway }: World) {
  return { authorization: `Bearer ${gateway.userToken}` }
}
