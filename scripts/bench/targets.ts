import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SigningKeyJwk } from '../../src/identity/index.ts'
import { createApi } from '../cli/api.ts'
import { launchAnnounced } from '../samples/launch.ts'
import { localTokens } from '../start/tokens.ts'
import { buildBundle } from '../workerd/build.ts'
import { freePort } from '../workerd/free-port.ts'
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

    const gateway = await startGateway(folder, upstream.url)
    cleanups.push(gateway.stop)
    const list: Target[] = [
      { name: 'direct', url: upstream.url, headers: {}, pid: upstream.child.pid },
      { name: 'ceiling', url: ceiling.url, headers: {}, pid: ceiling.pid() },
      { name: 'gateway', url: gateway.url, headers: gateway.headers, pid: gateway.pid },
    ]
    return { list, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** With fresh secrets, limits out of the way, the upstream registered and a user who may call it. */
async function startGateway(folder: string, upstreamUrl: string) {
  const port = await freePort()
  const publicUrl = `http://127.0.0.1:${port}`
  const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    format: 'jwk',
  })
  const worker = await startWorkerd({
    bundleDir: join(folder, 'dist'),
    stateDir: join(folder, 'gateway'),
    port,
    discardOutput: true,
    vars: {
      GATEHOUSE_SECRET: randomBytes(32).toString('base64url'),
      GATEHOUSE_SIGNING_KEY: JSON.stringify(signingKey),
      BOOTSTRAP_ADMIN: JSON.stringify({ issuer: publicUrl, subject: 'admin' }),
      PRIVATE_UPSTREAMS: '127.0.0.1/32',
      LIMIT_PRINCIPAL_PER_MINUTE: '1000000',
      LIMIT_TENANT_PER_MINUTE: '10000000',
    },
  })
  try {
    const { adminToken, userToken } = await localTokens(publicUrl, SigningKeyJwk.parse(signingKey))
    const api = createApi({ url: publicUrl, token: adminToken })
    await api.request('PUT', '/api/v1/policy', {
      group_mappings: { 'gatehouse-admins': ['admin'], 'mcp-registry-user': ['bench-callers'] },
      'bench-callers': [{ server: SERVER, methods: ['tools/list', 'tools/call'], tools: ['echo'] }],
    })
    await api.request('POST', '/api/v1/servers', {
      path: SERVER,
      name: 'Benchmark upstream',
      endpoints: [{ url: upstreamUrl }],
    })
    return {
      url: `${publicUrl}/${SERVER}/mcp`,
      headers: { authorization: `Bearer ${userToken}` },
      pid: worker.pid(),
      stop: worker.stop,
    }
  } catch (error) {
    await worker.stop()
    throw error
  }
}
