import { z } from 'zod'
import { ServerPath, type TenantId } from '../../core/index.ts'
import type { Visibility } from '../../policy/index.ts'
import { CatalogKind } from '../catalog-kinds.ts'
import { FleetMember } from './fleet-member.ts'

/** One thing of another server that a virtual server offers, as it was when somebody chose it. */
export const VirtualItem = z.strictObject({
  kind: CatalogKind,
  server: ServerPath,
  /** The upstream's name, URI or URI template. */
  key: z.string(),
  /** Of a tool or prompt: its exposed name. Otherwise its display name; empty for the upstream's. */
  name: z.string(),
  title: z.string().exactOptional(),
  description: z.string().exactOptional(),
  /** SHA-256 of the definition that was chosen; another one is not served. */
  contentHash: z.string(),
  /** Of a tool: it is one of several upstreams that are shown as one tool of this name. */
  fleet: FleetMember.exactOptional(),
})
export type VirtualItem = Readonly<z.infer<typeof VirtualItem>>

/** How an item stands to what its upstream offers now. */
export type PinState = 'ok' | 'changed' | 'missing'

/** An item, and whether it may be served: only while it is what was chosen. */
export type PinnedItem = VirtualItem & { readonly state: PinState }

/** What the hot path knows of a virtual server; from the per-isolate snapshot. */
export interface VirtualServerRecord {
  readonly id: string
  readonly tenant: TenantId
  readonly path: ServerPath
  readonly name: string
  readonly description: string
  /** Told to clients before those of the servers behind it; may be empty. */
  readonly instructions: string
  /** `principal.key` of the owner. */
  readonly owner: string
  readonly visibility: Visibility
  readonly allowedGroups: readonly string[]
  readonly enabled: boolean
  readonly items: readonly PinnedItem[]
}
