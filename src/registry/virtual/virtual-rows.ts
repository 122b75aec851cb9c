import { z } from 'zod'
import { ServerPath, TenantId } from '../../core/index.ts'
import { Visibility } from '../../policy/index.ts'
import { DiscoveredCounts } from '../catalog.ts'
import { jsonOf, names } from '../rows.ts'
import { VirtualItem } from './virtual-record.ts'

/** A virtual server's row as a list reads it: without its items. */
export const ListedVirtualRow = z.object({
  id: z.string(),
  tenant: TenantId,
  path: ServerPath,
  name: z.string(),
  description: z.string(),
  instructions: z.string(),
  owner: z.string(),
  visibility: Visibility,
  allowedGroups: names,
  enabled: z.boolean(),
  counts: jsonOf(DiscoveredCounts),
  createdAt: z.number(),
  updatedAt: z.number(),
})
export type ListedVirtual = z.infer<typeof ListedVirtualRow>

/** A whole virtual server. */
export const VirtualRow = ListedVirtualRow.extend({
  items: jsonOf(z.array(VirtualItem).readonly()),
})
export type StoredVirtual = z.infer<typeof VirtualRow>

/** Members of a virtual server that a write may change; `counts` follows from the items. */
export type VirtualChanges = Partial<
  Pick<
    StoredVirtual,
    'name' | 'description' | 'instructions' | 'visibility' | 'allowedGroups' | 'enabled' | 'items'
  >
>

/** All columns of a virtual server's row. */
export function virtualColumns(virtual: StoredVirtual) {
  return {
    ...virtual,
    allowedGroups: JSON.stringify(virtual.allowedGroups),
    items: JSON.stringify(virtual.items),
    counts: JSON.stringify(virtual.counts),
  }
}
