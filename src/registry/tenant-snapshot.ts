import {
  type CallContext,
  GatewayError,
  type Principal,
  ServerPath,
  setBounded,
  type TenantId,
} from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'
import {
  type BootstrapAdmin,
  isBootstrapAdmin,
  type PolicyDocument,
  type Rights,
  rightsOf,
} from '../policy/index.ts'
import type { HeaderVault } from './custom-headers.ts'
import type { ServerRecord } from './server-record.ts'
import type { LoadedServer } from './snapshot-repository.ts'

/** Servers per tenant, known and unknown paths alike. */
const MAX_SERVERS = 2000

/** One tenant as of one generation. Servers are loaded when first asked for. */
export interface TenantSnapshot {
  readonly generation: number
  readonly policy: PolicyDocument
  /**
   * Undefined for unknown paths, which are remembered as well. A disabled server is returned.
   * Throws `policy_unavailable` when it has to be loaded and cannot be.
   */
  server(ctx: CallContext, path: string): Promise<ServerRecord | undefined>
  rights(principal: Principal): Rights
}

export interface TenantSnapshotDeps {
  readonly source: {
    server(tenant: TenantId, path: ServerPath): Promise<LoadedServer | undefined>
  }
  readonly headers: HeaderVault
  readonly events: Events
  readonly bootstrapAdmin?: BootstrapAdmin | undefined
}

/** @see TenantSnapshot */
export function createTenantSnapshot(
  deps: TenantSnapshotDeps,
  tenant: TenantId,
  generation: number,
  policy: PolicyDocument,
): TenantSnapshot {
  const servers = new Map<ServerPath, ServerRecord | undefined>()

  return {
    generation,
    policy,

    async server(ctx, path) {
      const parsed = ServerPath.safeParse(path)
      if (!parsed.success) return undefined
      const record = servers.has(parsed.data)
        ? servers.get(parsed.data)
        : await load(ctx, parsed.data)
      // Used again is young again: invented paths must not push out what is in use.
      setBounded(servers, parsed.data, record, MAX_SERVERS)
      return record
    },

    // `rightsOf` remembers what it compiled for as long as the document lives.
    rights: (principal) =>
      rightsOf(principal, policy, {
        bootstrap: isBootstrapAdmin(principal, deps.bootstrapAdmin, policy),
      }),
  }

  async function load(ctx: CallContext, path: ServerPath): Promise<ServerRecord | undefined> {
    try {
      const loaded = await deps.source.server(tenant, path)
      return loaded === undefined ? undefined : await toRecord(deps.headers, loaded)
    } catch (thrown) {
      emitFault(deps.events, ctx, 'registry.server', thrown)
      throw thrown instanceof GatewayError ? thrown : unavailable(thrown)
    }
  }
}

async function toRecord(
  vault: HeaderVault,
  { server, tools }: LoadedServer,
): Promise<ServerRecord> {
  const headers = await vault.open(server.tenant, server.id, server.headersSealed)
  return {
    id: server.id,
    tenant: server.tenant,
    path: server.path,
    name: server.name,
    owner: server.owner,
    visibility: server.visibility,
    allowedGroups: server.allowedGroups,
    enabled: server.enabled,
    timeoutMs: server.timeoutMs,
    trustAnnotations: server.trustAnnotations,
    transport: server.transport,
    authStrategy: server.authStrategy,
    endpoints: server.endpoints.map(({ id, url, weight, health }) => ({ id, url, weight, health })),
    upstream: server.upstream,
    headers: Object.entries(headers),
    tools,
  }
}

/** 503 when there is nothing that may serve. */
export function unavailable(cause: unknown): GatewayError {
  return new GatewayError('policy_unavailable', 'The registry cannot be read at the moment.', {
    cause,
  })
}
