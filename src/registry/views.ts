import { z } from 'zod'
import { EndpointId, ServerId, TenantId } from '../core/index.ts'
import { type Actor, canPermission, Permission, Visibility } from '../policy/index.ts'
import { ResilienceSettings } from '../resilience/index.ts'
import { DiscoveredCounts } from './catalog.ts'
import type { ListedServer, StoredServer } from './rows.ts'
import { Provenance } from './schemas.ts'
import { Health, UpstreamFacts } from './server-record.ts'
import { Transport, TransportChoice } from './transports.ts'

const instant = z.iso.datetime()

/** A server as a list shows it. */
export const ServerSummary = z.strictObject({
  id: ServerId,
  path: z.string(),
  name: z.string(),
  description: z.string(),
  tags: z.array(z.string()).readonly(),
  license: z.string(),
  /** Issuer and a hash of the subject. */
  owner: z.string(),
  visibility: Visibility,
  enabled: z.boolean(),
  health: Health,
  discovered: DiscoveredCounts,
  updatedAt: instant,
})
export type ServerSummary = z.infer<typeof ServerSummary>

/** A whole server. Values of custom headers are never shown. */
export const ServerOut = z.strictObject({
  ...ServerSummary.shape,
  allowedGroups: z.array(z.string()).readonly(),
  transport: Transport.describe('The one in force.'),
  transportChoice: TransportChoice.describe('What the registration says of it.'),
  transportDetectedAt: instant.nullable().describe('Null for one that was named.'),
  authStrategy: z.literal('none'),
  /** Names alone. */
  headers: z.array(z.string()).readonly(),
  timeoutMs: z.number().int(),
  trustAnnotations: z.boolean(),
  resilience: ResilienceSettings.describe("What is not named here is the deployment's default."),
  provenance: Provenance,
  endpoints: z.array(
    z.strictObject({
      id: EndpointId,
      /** Without its query for those who may not modify the server: keys travel there. */
      url: z.string(),
      weight: z.number().int(),
      health: Health,
    }),
  ),
  upstream: UpstreamFacts,
  discoveredAt: instant.nullable(),
  createdAt: instant,
})
export type ServerOut = z.infer<typeof ServerOut>

export const ServerPage = z.strictObject({
  servers: z.array(ServerSummary),
  nextCursor: z.string().optional(),
})
export type ServerPage = z.infer<typeof ServerPage>

const ToolOut = z.strictObject({
  name: z.string(),
  /** As the upstream gave it. */
  definition: z.record(z.string(), z.unknown()),
})

/** A page of the tools the caller may see, and those of the same stretch that are not served. */
export const ToolPage = z.strictObject({
  tools: z.array(ToolOut),
  excluded: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
  nextCursor: z.string().optional(),
})
export type ToolPage = z.infer<typeof ToolPage>

export const HealthOut = z.strictObject({
  path: z.string(),
  health: Health,
  endpoints: z.array(
    z.strictObject({
      id: EndpointId,
      health: Health,
      consecutiveFailures: z.number().int(),
      lastLatencyMs: z.number().nullable(),
      lastProbedAt: instant.nullable(),
      lastError: z.string().nullable(),
      breaker: z
        .enum(['closed', 'open', 'half_open', 'unknown'])
        .describe('What calls meet: `open` ones are not sent. `unknown` while it cannot be asked.'),
    }),
  ),
})
export type HealthOut = z.infer<typeof HealthOut>

export const MeOut = z.strictObject({
  issuer: z.string(),
  subject: z.string(),
  kind: z.enum(['user', 'service', 'agent']),
  tenant: TenantId,
  /** The name under which changes and events are recorded. */
  key: z.string(),
  groups: z.array(z.string()).readonly(),
  oauthScopes: z.array(z.string()).readonly(),
  accessScopes: z.array(z.string()).readonly(),
  /** Permissions the caller holds on at least one server. */
  permissions: z.array(Permission),
  expiresAt: instant,
})
export type MeOut = z.infer<typeof MeOut>

/** What anybody who may list the server sees in a list. */
export function summaryOf(server: ListedServer): ServerSummary {
  const { id, path, name, description, tags, license, owner, visibility, enabled } = server
  const { health, discovered } = server
  return {
    ...{ id, path, name, description, tags, license, owner, visibility, enabled },
    ...{ health, discovered, updatedAt: toInstant(server.updatedAt) },
  }
}

/** What this actor, who may list the server, sees of it. */
export function serverOutOf(actor: Actor, server: StoredServer): ServerOut {
  const showsQuery = canPermission(actor, 'modify_service', server)
  const { allowedGroups, transport, transportChoice, authStrategy } = server
  const { timeoutMs, trustAnnotations, transportDetectedAt } = server
  return {
    ...summaryOf(server),
    ...{ allowedGroups, transport, transportChoice, authStrategy, timeoutMs, trustAnnotations },
    transportDetectedAt: transportDetectedAt === null ? null : toInstant(transportDetectedAt),
    resilience: server.resilience,
    headers: server.headerNames,
    provenance: server.provenance,
    endpoints: server.endpoints.map(({ id, url, weight, health }) => ({
      id,
      url: showsQuery ? url : withoutQuery(url),
      weight,
      health,
    })),
    upstream: server.upstream,
    discoveredAt: server.discoveredAt === null ? null : toInstant(server.discoveredAt),
    createdAt: toInstant(server.createdAt),
  }
}

/** ISO 8601, UTC. */
export function toInstant(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

function withoutQuery(url: string): string {
  const [before = url] = url.split('?')
  return before
}
