import { z } from 'zod'
import { type Actor, canPermission, toolFilter } from '../../policy/index.ts'
import type { ListedServer, StoredEndpoint, StoredServer } from '../rows.ts'
import { Health } from '../server-record.ts'
import { Transport } from '../transports.ts'
import { toInstant } from '../views.ts'

/** A server in the words of a service list: `timeout` in seconds, `id` its path. */
export const ServiceOut = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  /** Of its first endpoint; for those alone who may modify the server. */
  endpoint: z.string().optional(),
  transport: Transport,
  timeout: z.number(),
  enabled: z.boolean(),
  auth: z.strictObject({ strategy: z.literal('none') }),
  health: Health,
  tools: z
    .number()
    .int()
    .optional()
    .describe('How many it offers; absent for a caller who may not see all of them.'),
})
export type ServiceOut = z.infer<typeof ServiceOut>

export const ServicePage = z.strictObject({
  services: z.array(ServiceOut),
  /** Of this page. */
  count: z.number().int(),
  nextCursor: z.string().optional(),
})
export type ServicePage = z.infer<typeof ServicePage>

/** What the last health checks found of a service. */
export const ServiceHealthOut = z.strictObject({
  id: z.string(),
  name: z.string(),
  status: Health,
  /** Null before the first check. */
  checkedAt: z.iso.datetime().nullable(),
  latencyMs: z.number().nullable(),
  /** For those who may check its health. */
  error: z.string().nullable(),
})
export type ServiceHealthOut = z.infer<typeof ServiceHealthOut>

/** What this actor, who may list the server, sees of it. */
export function serviceOf(
  actor: Actor,
  server: ListedServer,
  endpoint: string | undefined,
): ServiceOut {
  const { name, description, transport, enabled, health } = server
  // Counting what a filter lets through would take a read of every service's tools.
  const showsCount = toolFilter(actor, server) === 'all'
  const showsAddress = endpoint !== undefined && canPermission(actor, 'modify_service', server)
  return {
    ...{ id: server.path, name, description },
    ...(showsAddress && { endpoint }),
    ...{ transport, timeout: server.timeoutMs / 1000, enabled },
    auth: { strategy: server.authStrategy },
    health,
    ...(showsCount && { tools: server.discovered.tools }),
  }
}

/** The latest check of the best endpoint. */
export function serviceHealthOf(actor: Actor, server: StoredServer): ServiceHealthOut {
  const { path, name, health } = server
  const latest = server.endpoints
    .filter((endpoint) => endpoint.health === health && endpoint.lastProbedAt !== null)
    .reduce<StoredEndpoint | undefined>((a, b) => (isLater(b, a) ? b : a), undefined)
  const showsError = canPermission(actor, 'health_check_service', server)
  return {
    ...{ id: path, name, status: health },
    checkedAt: latest?.lastProbedAt ? toInstant(latest.lastProbedAt) : null,
    latencyMs: latest?.lastLatencyMs ?? null,
    error: (showsError && latest?.lastError) || null,
  }
}

function isLater(one: StoredEndpoint, other: StoredEndpoint | undefined): boolean {
  return (one.lastProbedAt ?? 0) > (other?.lastProbedAt ?? 0)
}
