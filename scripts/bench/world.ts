import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Api, createApi } from '../cli/api.ts'
import { buildBundle } from '../workerd/build.ts'
import type { Cleanups } from '../workerd/cleanups.ts'
import { startOwnGateway } from '../workerd/own-gateway.ts'
import { findNginx } from './nginx/process.ts'
import type { Peer, World } from './rows/row.ts'
import { startUpstream } from './upstream/start.ts'

/** A world that runs, with the management API of its gateway. */
export interface RunningWorld extends World {
  readonly api: Api
}

export interface WorldOptions {
  readonly peers?: readonly Peer[]
  readonly upstreamPort?: number | undefined
  /** Of the gateway's workerd. */
  readonly inspectorPort?: number | undefined
  /** Gets an entry for the folder and for each process, those of rows too. */
  readonly cleanups: Cleanups
  say(text: string): void
}

/** Builds the bundle, starts the upstream and the gateway before it, in a new folder. */
export async function startWorld(options: WorldOptions): Promise<RunningWorld> {
  const { peers = [], upstreamPort, inspectorPort, cleanups, say } = options
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  cleanups.add(() => rm(folder, { recursive: true, force: true }))
  say('building the bundle')
  await buildBundle(join(folder, 'dist'))
  say('starting the upstream and the gateway')
  const nginx = findNginx()
  const upstream = await startUpstream(join(folder, 'upstream'), nginx, upstreamPort)
  cleanups.add(upstream.stop)
  const gateway = await startOwnGateway({
    folder,
    server: { path: 'bench', url: upstream.url('modern') },
    discardOutput: true,
    inspectorPort,
  })
  cleanups.add(gateway.worker.stop)
  const api = createApi({ url: gateway.origin, token: gateway.adminToken })
  const known = new Set(['bench'])
  return {
    ...{ folder, upstream, nginx, gateway, peers, api },
    async registered(path, url) {
      if (known.has(path)) return
      known.add(path)
      await api.request('POST', '/api/v1/servers', { path, name: path, endpoints: [{ url }] })
    },
    onStop: cleanups.add,
  }
}
