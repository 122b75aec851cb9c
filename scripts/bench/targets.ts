import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchAnnounced } from '../samples/launch.ts'
import { buildBundle } from '../workerd/build.ts'
import { startOwnGateway } from '../workerd/own-gateway.ts'
import { startWorkerd } from '../workerd.ts'

/** Something that answers the benchmark's request. */
export interface Target {
  readonly name: 'direct' | 'ceiling' | 'gateway'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The process whose CPU counts. */
  readonly pid: number
}

export interface Targets {
  readonly list: readonly Target[]
  stop(): Promise<void>
}

const SERVER = 'bench'

/** Starts the upstream, the ceiling before it and the gateway before it. */
export async function startTargets(say: (text: string) => void): Promise<Targets> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  const cleanups: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
  try {
    say('building the bundle')
    await buildBundle(join(folder, 'dist'))

    say('starting the upstream, the ceiling and the gateway')
    const upstream = await launchAnnounced(
      'bench upstream',
      join(import.meta.dirname, 'upstream.ts'),
    )
    cleanups.push(upstream.stop)

    const ceilingDir = join(import.meta.dirname, 'ceiling')
    const ceiling = await startWorkerd({
      bundleDir: ceilingDir,
      stateDir: join(folder, 'ceiling'),
      wranglerToml: join(ceilingDir, 'wrangler.toml'),
      vars: { UPSTREAM_URL: upstream.url },
      discardOutput: true,
    })
    cleanups.push(ceiling.stop)

    const { origin, userToken, worker } = await startOwnGateway({
      folder,
      server: { path: SERVER, url: upstream.url },
      discardOutput: true,
    })
    cleanups.push(worker.stop)
    const gateway = {
      url: `${origin}/${SERVER}/mcp`,
      headers: { authorization: `Bearer ${userToken}` },
    }
    const list: Target[] = [
      { name: 'direct', url: upstream.url, headers: {}, pid: upstream.child.pid },
      { name: 'ceiling', url: ceiling.url, headers: {}, pid: ceiling.pid() },
      { name: 'gateway', ...gateway, pid: worker.pid() },
    ]
    return { list, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
