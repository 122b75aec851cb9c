import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { TenantId } from '../../src/core/index.ts'
import { SigningKeyJwk, signToken } from '../../src/identity/index.ts'
import { type Api, createApi } from '../cli/api.ts'
import type { Cleanups } from '../workerd/cleanups.ts'
import { freePort } from '../workerd/free-port.ts'
import { collectGarbage } from '../workerd/heap.ts'
import { residentBytes } from '../workerd/resident.ts'
import { startWorkerd } from '../workerd.ts'
import { createEventCount, type EventCount } from './event-count.ts'
import { type Issuer, startIssuer } from './issuer.ts'
import type { MemoryUse, Span } from './records.ts'

/** The built gateway under siege: two isolates over one storage, and everybody's identity. */
export interface ChaosGateway {
  /** Origins of its isolates. */
  readonly urls: readonly string[]
  readonly events: EventCount
  /** REST, as the administrator of a tenant. */
  admin(tenant: string): Promise<Api>
  /** A user's token by the identity provider, or by the gateway itself. */
  token(tenant: string, subject: string, by: 'idp' | 'gateway'): Promise<string>
  rotateIdpKey(): Promise<void>
  /** New secret and new signing key; tells when it was away. */
  restart(how: 'stop' | 'kill'): Promise<Span>
  /** Wakes the health round, as the cron does. */
  wakeCron(): Promise<void>
  /** Has its isolates collect their garbage, and tells what they then hold. Throws while it is away. */
  memory(): Promise<MemoryUse>
}

export interface ChaosGatewayOptions {
  /** Holds the bundle in `dist`, and takes the state. */
  readonly folder: string
  readonly tenants: readonly string[]
  readonly vars?: Readonly<Record<string, string>>
  /** Gets an entry for each process and server. */
  readonly cleanups: Cleanups
}

const ISOLATES = 2
const ADMIN_ROLE = 'chaos-admin'
const POLICY = {
  group_mappings: { users: ['callers'] },
  callers: [{ server: '*', methods: ['*'], tools: ['*'] }],
}

/** Starts it on free ports with fresh secrets, and puts a policy in force in every tenant. */
export async function startChaosGateway(options: ChaosGatewayOptions): Promise<ChaosGateway> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const inspectorPort = await freePort()
  const idp = await startIssuer(origin)
  options.cleanups.add(idp.stop)
  let secret = newSecret()
  let signingKey = newSigningKey()
  const events = createEventCount()
  const worker = await startWorkerd({
    bundleDir: join(options.folder, 'dist'),
    stateDir: join(options.folder, 'gateway'),
    port,
    isolates: ISOLATES,
    inspectorPort,
    onOutput: events.add,
    vars: {
      GATEHOUSE_SECRET: secret,
      GATEHOUSE_SIGNING_KEY: JSON.stringify(signingKey),
      TRUSTED_ISSUERS: JSON.stringify([
        { preset: 'oidc', issuer: idp.issuer, tenantClaim: 'tenant' },
      ]),
      // Of every tenant of the run, and for as long as it runs.
      BOOTSTRAP_ADMIN: JSON.stringify({
        issuer: idp.issuer,
        claim: { name: 'role', value: ADMIN_ROLE },
        breakGlass: true,
      }),
      PRIVATE_UPSTREAMS: '127.0.0.1',
      ...options.vars,
    },
  })
  options.cleanups.add(worker.stop)

  const gateway: ChaosGateway = {
    urls: worker.urls,
    events,
    admin: async (tenant) => createApi({ url: origin, token: await adminToken(idp, tenant) }),
    token: (tenant, subject, by) =>
      by === 'idp'
        ? idp.sign({ sub: subject, tenant, groups: ['users'] })
        : signToken(
            { issuer: origin, signingKeyJwk: signingKey },
            {
              subject,
              audience: origin,
              tenant: TenantId.parse(tenant),
              groups: ['users'],
              scopes: [],
              kind: 'user',
              ttlSeconds: 3_600,
              now: Date.now(),
              jti: randomBytes(8).toString('hex'),
            },
          ),
    rotateIdpKey: idp.rotate,
    async restart(how) {
      const previous = secret
      secret = newSecret()
      signingKey = newSigningKey()
      const from = Date.now()
      await worker.restart({
        hard: how === 'kill',
        vars: {
          GATEHOUSE_SECRET: secret,
          GATEHOUSE_SECRET_PREVIOUS: previous,
          GATEHOUSE_SIGNING_KEY: JSON.stringify(signingKey),
        },
      })
      return { from, to: Date.now() }
    },
    wakeCron: async () => void (await worker.scheduled()),
    memory: async () => ({
      heapBytes: await collectGarbage(inspectorPort),
      residentBytes: await residentBytes([worker.pid()]),
    }),
  }
  for (const tenant of options.tenants) {
    await (await gateway.admin(tenant)).request('PUT', '/api/v1/policy', POLICY)
  }
  return gateway
}

function adminToken(idp: Issuer, tenant: string): Promise<string> {
  return idp.sign({ sub: 'admin', tenant, groups: [], role: ADMIN_ROLE })
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

function newSigningKey(): SigningKeyJwk {
  return SigningKeyJwk.parse(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  )
}
