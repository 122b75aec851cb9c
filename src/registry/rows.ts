import { z } from 'zod'
import { EndpointId, ServerId, ServerPath, TenantId } from '../core/index.ts'
import { Visibility } from '../policy/index.ts'
import { ResilienceSettings } from '../resilience/index.ts'
import { DiscoveredCounts } from './catalog.ts'
import { Provenance } from './schemas.ts'
import { Health, UpstreamFacts } from './server-record.ts'
import { Transport, TransportChoice } from './transports.ts'

const json = z.string().transform((text, ctx): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    ctx.addIssue('is not JSON')
    return z.NEVER
  }
})
/** A column of JSON text. */
export const jsonOf = <T extends z.ZodType>(schema: T) => json.pipe(schema)
/** A column of JSON text that holds names. */
export const names = jsonOf(z.array(z.string()).readonly())

/** An endpoint as stored. */
export const EndpointRow = z.object({
  id: EndpointId,
  position: z.number(),
  url: z.string(),
  weight: z.number(),
  health: Health,
  consecutiveFailures: z.number(),
  consecutiveSuccesses: z.number(),
  lastLatencyMs: z.number().nullable(),
  lastProbedAt: z.number().nullable(),
  lastError: z.string().nullable(),
})
export type StoredEndpoint = z.infer<typeof EndpointRow>

/** A server's row with its JSON columns read. */
export const ServerRow = z.object({
  id: ServerId,
  tenant: TenantId,
  path: ServerPath,
  name: z.string(),
  description: z.string(),
  tags: names,
  license: z.string(),
  owner: z.string(),
  visibility: Visibility,
  allowedGroups: names,
  enabled: z.boolean(),
  transport: Transport,
  transportChoice: TransportChoice,
  transportDetectedAt: z.number().nullable(),
  authStrategy: z.literal('none'),
  headersSealed: z.string().nullable(),
  headerNames: names,
  timeoutMs: z.number(),
  trustAnnotations: z.boolean(),
  resilience: jsonOf(ResilienceSettings),
  provenance: jsonOf(Provenance),
  health: Health,
  upstream: jsonOf(UpstreamFacts),
  discovered: jsonOf(DiscoveredCounts),
  catalogHash: z.string().nullable(),
  discoveredAt: z.number().nullable(),
  createdAt: z.number(),
  updatedAt: z.number(),
})

/** A server without its endpoints, as a list shows it. */
export type ListedServer = z.infer<typeof ServerRow>

/** A whole server. */
export interface StoredServer extends ListedServer {
  readonly endpoints: readonly StoredEndpoint[]
}

/** The best health among endpoints: one that answers is enough. */
export function healthOf(endpoints: readonly { readonly health: Health }[]): Health {
  const states = new Set(endpoints.map((endpoint) => endpoint.health))
  if (states.has('healthy')) return 'healthy'
  return states.has('unknown') || states.size === 0 ? 'unknown' : 'unhealthy'
}

/** Members of a server that a write may change. */
export type ServerChanges = Partial<
  Omit<ListedServer, 'id' | 'tenant' | 'path' | 'owner' | 'createdAt'>
>

/** All columns of a server's row. */
export function serverColumns(server: ListedServer & { readonly endpoints?: unknown }) {
  const { endpoints: _stored, ...plain } = server
  return { ...plain, ...jsonColumns(server), searchText: searchTextOf(server) }
}

/** The columns that the changes touch. */
export function changedColumns(server: ListedServer, changes: ServerChanges) {
  const all = serverColumns({ ...server, ...changes })
  const { tags, allowedGroups, headerNames, resilience, ...others } = changes
  const { provenance, upstream, discovered, ...plain } = others
  return {
    ...plain,
    searchText: all.searchText,
    ...(tags && { tags: all.tags }),
    ...(allowedGroups && { allowedGroups: all.allowedGroups }),
    ...(headerNames && { headerNames: all.headerNames }),
    ...(resilience && { resilience: all.resilience }),
    ...(provenance && { provenance: all.provenance }),
    ...(upstream && { upstream: all.upstream }),
    ...(discovered && { discovered: all.discovered }),
  }
}

function jsonColumns(server: ListedServer) {
  return {
    tags: JSON.stringify(server.tags),
    allowedGroups: JSON.stringify(server.allowedGroups),
    headerNames: JSON.stringify(server.headerNames),
    resilience: JSON.stringify(server.resilience),
    provenance: JSON.stringify(server.provenance),
    upstream: JSON.stringify(server.upstream),
    discovered: JSON.stringify(server.discovered),
  }
}

function searchTextOf(server: ListedServer): string {
  return [server.path, server.name, server.description].join('\n').toLowerCase()
}
