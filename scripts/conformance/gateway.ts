import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBundle } from '../workerd/build.ts'
import { freePort } from '../workerd/free-port.ts'
import { startOwnGateway } from '../workerd/own-gateway.ts'
import { startShim } from './shim.ts'
import type { GatewayAccess } from './suite.ts'

/** What would be deployed, on a bare workerd, with authentication on. */
export interface ConformanceGateway {
  /** The fixture's endpoint, for a caller without a token. */
  readonly url: string
  readonly access: GatewayAccess
  stop(): Promise<void>
}

const SERVER = 'fixture'

/** Builds and starts it with limits out of the way, and registers the fixture. */
export async function startGateway(fixtureUrl: string): Promise<ConformanceGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-conformance-'))
  const cleanups: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
  try {
    await buildBundle(join(folder, 'dist'))
    const shimPort = await freePort()
    const { origin, adminToken, userToken, worker } = await startOwnGateway({
      folder,
      server: { path: SERVER, url: fixtureUrl },
      vars: {
        // The suite's own servers call themselves localhost.
        PRIVATE_UPSTREAMS: '127.0.0.1,localhost',
        ALLOWED_HOSTS: `127.0.0.1:${shimPort}`,
        ALLOWED_ORIGINS: `http://127.0.0.1:${shimPort}`,
      },
    })
    cleanups.push(worker.stop)
    const targetPort = Number(new URL(origin).port)
    const shim = await startShim({ port: shimPort, targetPort, token: userToken })
    cleanups.push(shim.stop)
    const url = `http://127.0.0.1:${shimPort}/${SERVER}/mcp`
    return { url, access: { origin, adminToken, userToken }, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
