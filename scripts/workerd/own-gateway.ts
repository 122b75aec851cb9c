import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { SigningKeyJwk } from '../../src/identity/index.ts'
import { createApi } from '../cli/api.ts'
import { localToken, localTokens, type TokenHolder } from '../start/tokens.ts'
import { startWorkerd, type WorkerdHandle } from '../workerd.ts'
import { freePort } from './free-port.ts'

/** A gateway of fresh state in front of one server, for measuring and for the conformance suite. */
export interface OwnGateway {
  readonly origin: string
  readonly adminToken: string
  /** May call whatever is registered. */
  readonly userToken: string
  /** A token for somebody else, also of another tenant. */
  tokenFor(holder: TokenHolder): Promise<string>
  readonly worker: WorkerdHandle
}

export interface OwnGatewayOptions {
  /** Holds the bundle in `dist`, and takes the state. */
  readonly folder: string
  readonly server: { readonly path: string; readonly url: string }
  /** On top of fresh secrets, and limits that are out of the way. */
  readonly vars?: Readonly<Record<string, string>>
  readonly discardOutput?: boolean
  /** @see WorkerdOptions */
  readonly inspectorPort?: number | undefined
}

/** Users may call everything, administrators may do everything. */
export const OPEN_POLICY = {
  group_mappings: { 'gatehouse-admins': ['admin'], 'mcp-registry-user': ['callers'] },
  callers: [{ server: '*', methods: ['*'], tools: ['*'] }],
}

/** Starts it on a free port. Throws what the gateway answers to being set up. */
export async function startOwnGateway(options: OwnGatewayOptions): Promise<OwnGateway> {
  const { folder, server } = options
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const signingKey = SigningKeyJwk.parse(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  )
  const worker = await startWorkerd({
    bundleDir: join(folder, 'dist'),
    stateDir: join(folder, 'gateway'),
    port,
    discardOutput: options.discardOutput ?? false,
    ...(options.inspectorPort === undefined ? {} : { inspectorPort: options.inspectorPort }),
    vars: {
      GATEHOUSE_SECRET: randomBytes(32).toString('base64url'),
      GATEHOUSE_SIGNING_KEY: JSON.stringify(signingKey),
      BOOTSTRAP_ADMIN: JSON.stringify({ issuer: origin, subject: 'admin' }),
      PRIVATE_UPSTREAMS: '127.0.0.1',
      LIMIT_PRINCIPAL_PER_MINUTE: '1000000',
      LIMIT_TENANT_PER_MINUTE: '10000000',
      MAX_STREAMS_PER_PRINCIPAL: '30000',
      ...options.vars,
    },
  })
  try {
    const { adminToken, userToken } = await localTokens(origin, signingKey)
    const api = createApi({ url: origin, token: adminToken })
    await api.request('PUT', '/api/v1/policy', OPEN_POLICY)
    await api.request('POST', '/api/v1/servers', {
      path: server.path,
      name: server.path,
      endpoints: [{ url: server.url }],
    })
    const tokenFor = (holder: TokenHolder) => localToken(origin, signingKey, holder)
    return { origin, adminToken, userToken, tokenFor, worker }
  } catch (error) {
    await worker.stop()
    throw error
  }
}
