import { type FleetItem, isFleetItem } from './fleet-member.ts'
import type { PinnedItem } from './virtual-record.ts'

// Items of a loaded virtual server never change, so what follows from them may hang on them.
const remembered = new WeakMap<
  readonly PinnedItem[],
  ReadonlyMap<string, readonly FleetItem<PinnedItem>[]>
>()

/** The items of each tool that several upstreams share, in their order, by the tool's name here. */
export function fleetsOf(
  items: readonly PinnedItem[],
): ReadonlyMap<string, readonly FleetItem<PinnedItem>[]> {
  const known = remembered.get(items)
  if (known) return known
  const fleets = Map.groupBy(items.filter(isFleetItem), ({ name }) => name)
  remembered.set(items, fleets)
  return fleets
}
