import type { OwnGateway } from '../../workerd/own-gateway.ts'
import { startByHand, startCeiling } from './bare-worker.ts'
import { legacyCall, modernCall, openSession } from './messages.ts'
import type { Row, Target, World } from './row.ts'

/**
 * Each row has a process to itself, as each ceiling has: what one row leaves to be collected would be
 * collected while another is measured.
 */
const PATH = '/bench/mcp'
/** Servers that are registered when a call goes through the shared endpoint. */
const SHARED_SERVERS = 20

/** (c) A modern `tools/call`, with its ceiling (b). */
export const modern: Row = {
  letter: 'c',
  isQuick: true,
  async start(world) {
    const target = modernTarget(world)
    return withCeiling(world, target, 'ceiling-modern', world.upstream.url('modern'))
  },
}

/** (d) A legacy `tools/call` in a session, with its ceiling (b). */
export const legacy: Row = {
  letter: 'd',
  isQuick: true,
  async start(world) {
    const upstreamUrl = world.upstream.url('legacy')
    const gateway = await world.startGateway('legacy', [['bench', upstreamUrl]])
    const session = await openSession(`${gateway.origin}${PATH}`, authorization(gateway))
    const target = gatewayTarget(gateway, 'gateway-legacy', PATH, legacyCall('echo', session))
    return withCeiling(world, target, 'ceiling-legacy', upstreamUrl)
  },
}

/** (e) A modern `tools/call` at the endpoint of all servers, with a ceiling (b) of its own. */
export const aggregated: Row = {
  letter: 'e',
  isQuick: false,
  async start(world) {
    const urls = Array.from({ length: SHARED_SERVERS }, (_, at) => world.upstream.url('modern', at))
    const servers = urls.map((url, at) => [`shared-${at}`, url] as const)
    const gateway = await world.startGateway('shared', servers)
    const call = modernCall('shared-7__echo')
    const target = gatewayTarget(gateway, 'gateway-shared', '/mcp', call)
    return withCeiling(world, target, 'ceiling-shared', urls[7] ?? '')
  },
}

/** (f) A modern call that is answered by a stream with progress, with its ceiling (b). */
export const streamed: Row = {
  letter: 'f',
  isQuick: true,
  async start(world) {
    const upstreamUrl = world.upstream.url('modern')
    const gateway = await world.startGateway('stream', [['bench', upstreamUrl]])
    const call = modernCall('progress', { progressToken: 'bench' })
    const target = gatewayTarget(gateway, 'gateway-stream', PATH, call, 'stream')
    return withCeiling(world, target, 'ceiling-stream', upstreamUrl)
  },
}

/** (j) No gateway: what (c) cannot go without, done by hand, with a ceiling (b) of its own. */
export const byHand: Row = {
  letter: 'j',
  isQuick: false,
  async start(world) {
    const upstreamUrl = world.upstream.url('modern')
    const of = modernTarget(world)
    const target = await startByHand(world, { name: 'by-hand', of, upstreamUrl })
    return withCeiling(world, target, 'ceiling-by-hand', upstreamUrl)
  },
}

function modernTarget({ gateway }: World): Target {
  return gatewayTarget(gateway, 'gateway-modern', PATH, modernCall('echo'))
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
  gateway: OwnGateway,
  name: string,
  path: string,
  call: Pick<Target, 'headers' | 'body' | 'expect'>,
  answer: Target['answer'] = 'message',
): Target {
  return {
    name,
    url: gateway.origin + path,
    ...call,
    headers: { ...call.headers, ...authorization(gateway) },
    pids: [gateway.worker.pid()],
    answer,
  }
}

function authorization({ userToken }: OwnGateway) {
  return { authorization: `Bearer ${userToken}` }
}
