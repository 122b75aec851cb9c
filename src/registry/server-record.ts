import { z } from 'zod'
import type { CallContext, EndpointId, ServerId, ServerPath, TenantId } from '../core/index.ts'
import type { Visibility } from '../policy/index.ts'
import type { ResilienceSettings } from '../resilience/index.ts'
import type { Transport } from './transports.ts'

/** One argument that a client mirrors into `Mcp-Param-<header>` (MCP 2026-07-28, Tools). */
export const HeaderParam = z.object({
  header: z.string(),
  /** Keys from the arguments object down to the value. */
  path: z.array(z.string()).readonly(),
  type: z.enum(['string', 'integer', 'boolean']),
})
export type HeaderParam = z.infer<typeof HeaderParam>

/** What the relay has to know of a tool without reading its definition. */
export interface ToolFacts {
  readonly headerParams: readonly HeaderParam[]
  /** What the upstream claims; believed only on servers whose admin ticked `trustAnnotations`. */
  readonly readOnly: boolean
  readonly idempotent: boolean
}

/** What an upstream said of itself when it was last asked. */
export const UpstreamFacts = z.object({
  eras: z.enum(['modern', 'legacy', 'dual', 'unknown']),
  protocolVersions: z.array(z.string()).readonly(),
  sessionful: z.boolean(),
  serverInfo: z.record(z.string(), z.unknown()).optional(),
  capabilities: z.record(z.string(), z.unknown()).optional(),
  instructions: z.string().optional(),
  /** The shortest time that its lists may be kept, as it says itself (MCP 2026-07-28, Caching). */
  ttlMs: z.number().int().optional(),
  /**
   * On a modern server that was never asked for the legacy handshake: a client of 2026-07-28 has no
   * reason to, so it is asked when the first legacy client comes.
   */
  legacy: z.literal('untried').optional(),
})
export type UpstreamFacts = z.infer<typeof UpstreamFacts>

/** Whether a server is known to serve the legacy handshake, or not to. */
export function isLegacyTried({ eras, legacy }: UpstreamFacts): boolean {
  return eras !== 'unknown' && legacy === undefined
}

/** The facts of a server that was never reached. */
export const UNKNOWN_UPSTREAM: UpstreamFacts = {
  eras: 'unknown',
  protocolVersions: [],
  sessionful: false,
}

export const Health = z.enum(['healthy', 'unhealthy', 'unknown'])
export type Health = z.infer<typeof Health>

/** What an upstream offers: raw JSON of every page, not yet trusted. */
export interface Discovery {
  /** The one of those tried that the upstream speaks. */
  readonly transport: Transport
  readonly facts: UpstreamFacts
  readonly tools: readonly unknown[]
  readonly resources: readonly unknown[]
  readonly resourceTemplates: readonly unknown[]
  readonly prompts: readonly unknown[]
}

/** Where and how to reach an upstream. */
export interface UpstreamAddress {
  /** Names the connections that are held for it. */
  readonly endpoint: EndpointId
  readonly transport: Transport
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly timeoutMs: number
}

/**
 * Asks an upstream what it is and what it offers, and closes the session it opened. Throws
 * `GatewayError('upstream_unreachable')` saying what failed.
 */
export type DiscoverUpstream = (
  ctx: CallContext,
  upstream: Omit<UpstreamAddress, 'transport'>,
  options: {
    /** One after the other, as long as each is refused in a way that speaks of another one. */
    readonly transports: readonly Transport[]
    /** Asks a modern server for the legacy handshake as well. */
    readonly triesLegacy: boolean
    /** Which eras it speaks, where nobody wants that asked again; unless it does not answer so. */
    readonly known?: UpstreamFacts
  },
) => Promise<Discovery>

/** What the hot path knows of a server; from the per-isolate snapshot. */
export interface ServerRecord {
  readonly id: ServerId
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly name: string
  /** `principal.key` of the owner. */
  readonly owner: string
  readonly visibility: Visibility
  readonly allowedGroups: readonly string[]
  readonly enabled: boolean
  readonly timeoutMs: number
  readonly trustAnnotations: boolean
  readonly resilience: ResilienceSettings
  readonly transport: Transport
  readonly authStrategy: 'none'
  readonly endpoints: readonly {
    readonly id: EndpointId
    readonly url: string
    readonly weight: number
    readonly health: Health
  }[]
  readonly upstream: UpstreamFacts
  /** Custom headers for every request to the upstream, opened from their seal. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Tools that may be served, by name; those with an invalid definition are absent. */
  readonly tools: ReadonlyMap<string, ToolFacts>
  /** Names of the prompts that are served. */
  readonly prompts: ReadonlySet<string>
}
