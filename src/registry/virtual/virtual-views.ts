import { z } from 'zod'
import { type Actor, canPermission, toolFilter, Visibility } from '../../policy/index.ts'
import { DiscoveredCounts } from '../catalog.ts'
import { toInstant } from '../views.ts'
import { isFleetItem } from './fleet-member.ts'
import { refKey } from './virtual-choices.ts'
import { mayList, type Offers, pinStateOf } from './virtual-pins.ts'
import type { VirtualItem } from './virtual-record.ts'
import type { ListedVirtual, StoredVirtual } from './virtual-rows.ts'

const instant = z.iso.datetime()

/** A virtual server as a list shows it. */
export const VirtualSummary = z.strictObject({
  id: z.string(),
  path: z.string(),
  name: z.string(),
  description: z.string(),
  /** Issuer and a hash of the subject. */
  owner: z.string(),
  visibility: Visibility,
  enabled: z.boolean(),
  /** How many of each kind were chosen. */
  items: DiscoveredCounts,
  updatedAt: instant,
})
export type VirtualSummary = z.infer<typeof VirtualSummary>

const pin = {
  title: z.string().optional(),
  description: z.string().optional(),
  /** SHA-256 of the definition that was chosen. */
  contentHash: z.string(),
  /** `changed` and `missing` items are not served. */
  state: z.enum(['ok', 'changed', 'missing']),
}
const NamedItemOut = z.strictObject({
  server: z.string(),
  name: z.string(),
  /** Its name on this virtual server. */
  as: z.string(),
  ...pin,
})
const ResourceItemOut = z.strictObject({
  server: z.string(),
  uri: z.string(),
  name: z.string().optional(),
  ...pin,
})
const FleetToolOut = z.strictObject({
  name: z.string(),
  /** Its name on this virtual server. */
  as: z.string(),
  selector: z.string(),
  /** Of the selector. */
  selectorDescription: z.string().optional(),
  title: pin.title,
  description: pin.description,
  /** SHA-256 of the definition that was chosen, for all members. */
  contentHash: pin.contentHash,
  members: z.array(z.strictObject({ value: z.string(), server: z.string(), state: pin.state })),
})
const TemplateItemOut = z.strictObject({
  server: z.string(),
  uriTemplate: z.string(),
  name: z.string().optional(),
  ...pin,
})

/** A whole virtual server. Items the caller may not list are left out, unless it may modify it. */
export const VirtualServerOut = z.strictObject({
  ...VirtualSummary.omit({ items: true }).shape,
  instructions: z.string(),
  allowedGroups: z.array(z.string()).readonly(),
  tools: z.array(NamedItemOut),
  prompts: z.array(NamedItemOut),
  resources: z.array(ResourceItemOut),
  resourceTemplates: z.array(TemplateItemOut),
  fleets: z.array(FleetToolOut).describe('Tools of several upstreams, shown as one each.'),
  createdAt: instant,
})
export type VirtualServerOut = z.infer<typeof VirtualServerOut>

export const VirtualServerPage = z.strictObject({
  virtualServers: z.array(VirtualSummary),
  nextCursor: z.string().optional(),
})
export type VirtualServerPage = z.infer<typeof VirtualServerPage>

/** What anybody who may list the virtual server sees in a list. */
export function virtualSummaryOf(virtual: ListedVirtual): VirtualSummary {
  const { id, path, name, description, owner, visibility, enabled, counts, updatedAt } = virtual
  return {
    ...{ id, path, name, description, owner, visibility, enabled },
    ...{ items: counts, updatedAt: toInstant(updatedAt) },
  }
}

/** What this actor, who may list the virtual server, sees of it. */
export function virtualOutOf(
  actor: Actor,
  virtual: StoredVirtual,
  offers: Offers,
): VirtualServerOut {
  const { items: _counts, ...summary } = virtualSummaryOf(virtual)
  const shown = canPermission(actor, 'modify_service', virtual)
    ? virtual.items
    : virtual.items.filter((item) => shows(actor, virtual, item, offers))
  const ofKind = (kind: VirtualItem['kind']) =>
    shown
      .filter((item) => item.kind === kind && !isFleetItem(item))
      .map((item) => pinned(item, offers))
  const withoutName = <T extends { name: string }>({ name, ...rest }: T) =>
    name === '' ? rest : { ...rest, name }
  return {
    ...summary,
    instructions: virtual.instructions,
    allowedGroups: virtual.allowedGroups,
    tools: ofKind('tool').map(({ key, name, ...rest }) => ({ ...rest, name: key, as: name })),
    prompts: ofKind('prompt').map(({ key, name, ...rest }) => ({ ...rest, name: key, as: name })),
    resources: ofKind('resource').map(({ key, ...rest }) => ({ uri: key, ...withoutName(rest) })),
    resourceTemplates: ofKind('template').map(({ key, ...rest }) => ({
      uriTemplate: key,
      ...withoutName(rest),
    })),
    fleets: fleetsOut(virtual.items, shown, offers),
    createdAt: toInstant(virtual.createdAt),
  }
}

/** Words are of the first item, whether or not its server is shown. */
function fleetsOut(
  items: readonly VirtualItem[],
  shown: readonly VirtualItem[],
  offers: Offers,
): VirtualServerOut['fleets'] {
  const first = new Map(
    items
      .filter(isFleetItem)
      .toReversed()
      .map((item) => [item.name, item]),
  )
  const groups = Map.groupBy(shown.filter(isFleetItem), ({ name }) => name)
  return [...groups].flatMap(([as, members]) => {
    const head = first.get(as)
    if (!head) return []
    const { key: name, title, description, contentHash, fleet } = head
    return {
      ...{ name, as, selector: fleet.selector },
      ...(fleet.description === undefined ? {} : { selectorDescription: fleet.description }),
      ...(title === undefined ? {} : { title }),
      ...(description === undefined ? {} : { description }),
      contentHash,
      members: members.map((item) => ({
        ...{ value: item.fleet.value, server: item.server },
        state: pinStateOf(item, offers),
      })),
    }
  })
}

/** What it may not list elsewhere, it does not see here. */
function shows(actor: Actor, virtual: StoredVirtual, item: VirtualItem, offers: Offers): boolean {
  const offer = offers.get(refKey(item))
  if (offer === undefined || !mayList(actor, offer)) return false
  const own = item.kind === 'tool' ? toolFilter(actor, virtual) : 'all'
  return own === 'all' || own(item.name)
}

function pinned(item: VirtualItem, offers: Offers) {
  const { kind: _kind, fleet: _fleet, ...rest } = item
  return { ...rest, state: pinStateOf(item, offers) }
}
