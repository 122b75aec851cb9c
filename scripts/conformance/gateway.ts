import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SigningKeyJwk } from '../../src/identity/index.ts'
import { createApi } from '../cli/api.ts'
import { localTokens } from '../start/tokens.ts'
import { buildBundle } from '../workerd/build.ts'
import { freePort } from '../workerd/free-port.ts'
import { startWorkerd } from '../workerd.ts'
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
    const [port, shimPort] = [await freePort(), await freePort()]
    const origin = `http://127.0.0.1:${port}`
    const signingKey = SigningKeyJwk.parse(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
    )
    const worker = await startWorkerd({
      bundleDir: join(folder, 'dist'),
      stateDir: join(folder, 'state'),
      port,
      vars: {
        GATEHOUSE_SECRET: randomBytes(32).toString('base64url'),
        GATEHOUSE_SIGNING_KEY: JSON.stringify(signingKey),
        BOOTSTRAP_ADMIN: JSON.stringify({ issuer: origin, subject: 'admin' }),
        // The suite's own servers call themselves localhost.
        PRIVATE_UPSTREAMS: '127.0.0.1,localhost',
        ALLOWED_HOSTS: `127.0.0.1:${shimPort}`,
        ALLOWED_ORIGINS: `http://127.0.0.1:${shimPort}`,
        LIMIT_PRINCIPAL_PER_MINUTE: '1000000',
        LIMIT_TENANT_PER_MINUTE: '10000000',
      },
    })
    cleanups.push(worker.stop)

    const { adminToken, userToken } = await localTokens(origin, signingKey)
    const api = createApi({ url: origin, token: adminToken })
    await api.request('PUT', '/api/v1/policy', {
      group_mappings: { 'gatehouse-admins': ['admin'], 'mcp-registry-user': ['everything'] },
      everything: [{ server: '*', methods: ['*'], tools: ['*'] }],
    })
    await api.request('POST', '/api/v1/servers', {
      path: SERVER,
      name: 'Conformance fixture',
      endpoints: [{ url: fixtureUrl }],
    })
    const shim = await startShim({ port: shimPort, targetPort: port, token: userToken })
    cleanups.push(shim.stop)
    const url = `http://127.0.0.1:${shimPort}/${SERVER}/mcp`
    return { url, access: { origin, adminToken, userToken }, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
