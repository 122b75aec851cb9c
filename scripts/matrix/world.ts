import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApi } from '../cli/api.ts'
import { buildBundle } from '../workerd/build.ts'
import { type OwnGateway, startOwnGateway } from '../workerd/own-gateway.ts'
import { connectLegacy } from './clients/legacy.ts'
import { SERVERS } from './servers.ts'
import { startLegacyUpstream } from './upstreams/legacy.ts'
import { startModernUpstream } from './upstreams/modern.ts'
import type { Era, Upstream } from './upstreams/upstream.ts'

/** The built gateway with authentication on, and behind it a server of each era alone. */
export interface World {
  readonly gateway: OwnGateway
  readonly upstreams: Readonly<Record<Era, Upstream>>
  stop(): Promise<void>
}

/** Builds and starts all of it, with fresh state. */
export async function startWorld(say: (text: string) => void): Promise<World> {
  const cleanups: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
  try {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-matrix-'))
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    say('building the gateway')
    await buildBundle(join(folder, 'dist'))

    say('starting the gateway and its upstreams')
    const legacy = await startLegacyUpstream()
    cleanups.push(legacy.stop)
    const modern = await startModernUpstream()
    cleanups.push(modern.stop)
    const server = { path: SERVERS.legacy, url: legacy.url }
    const gateway = await startOwnGateway({ folder, server })
    cleanups.push(gateway.worker.stop)
    await createApi({ url: gateway.origin, token: gateway.adminToken }).request(
      'POST',
      '/api/v1/servers',
      { path: SERVERS.modern, name: SERVERS.modern, endpoints: [{ url: modern.url }] },
    )
    const world: World = { gateway, upstreams: { legacy, modern }, stop }
    await settleEras(world)
    return world
  } catch (error) {
    await stop()
    throw error
  }
}

/** URL of an endpoint: of one server, or of everything that a user may use. */
export function endpointUrl({ gateway }: World, server?: Era): string {
  return server === undefined ? `${gateway.origin}/mcp` : `${gateway.origin}/${SERVERS[server]}/mcp`
}

/**
 * A modern server is asked once whether it speaks the legacy era as well, when the first legacy
 * client comes: not in a cell, where nothing of that era may reach it.
 */
async function settleEras(world: World): Promise<void> {
  const { userToken: token } = world.gateway
  const options = { url: endpointUrl(world, 'modern'), token, timeoutMs: SETTLE_TIMEOUT_MS }
  const client = await connectLegacy(options).catch(() => undefined)
  await client?.close()
}

const SETTLE_TIMEOUT_MS = 10_000
