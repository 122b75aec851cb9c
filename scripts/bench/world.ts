import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Api, createApi } from '../cli/api.ts'
import { buildBundle } from '../workerd/build.ts'
import { startOwnGateway } from '../workerd/own-gateway.ts'
import { findNginx } from './nginx/process.ts'
import type { Peer, World } from './rows/row.ts'
import { startUpstream } from './upstream/start.ts'

/** A world that runs; `stop` ends every process that it or a row has started. */
export interface RunningWorld extends World {
  readonly api: Api
  stop(): Promise<void>
}

export interface WorldOptions {
  readonly peers?: readonly Peer[]
  readonly upstreamPort?: number | undefined
  say(text: string): void
}

/** Builds the bundle, starts the upstream and the gateway before it, in a new folder. */
export async function startWorld({
  peers = [],
  upstreamPort,
  say,
}: WorldOptions): Promise<RunningWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  const cleanups: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  }
  try {
    say('building the bundle')
    await buildBundle(join(folder, 'dist'))
    say('starting the upstream and the gateway')
    const nginx = findNginx()
    const upstream = await startUpstream(join(folder, 'upstream'), nginx, upstreamPort)
    cleanups.push(upstream.stop)
    const gateway = await startOwnGateway({
      folder,
      server: { path: 'bench', url: upstream.url('modern') },
      discardOutput: true,
    })
    cleanups.push(gateway.worker.stop)
    const api = createApi({ url: gateway.origin, token: gateway.adminToken })
    const known = new Set(['bench'])
    return {
      ...{ folder, upstream, nginx, gateway, peers, api, stop },
      async registered(path, url) {
        if (known.has(path)) return
        known.add(path)
        await api.request('POST', '/api/v1/servers', { path, name: path, endpoints: [{ url }] })
      },
      onStop: (cleanup) => cleanups.push(cleanup),
    }
  } catch (error) {
    await stop()
    throw error
  }
}
