import { type InputProblem, invalidInput } from '../../core/index.ts'
import { type Actor, canPermission, decide, toolFilter } from '../../policy/index.ts'
import { CATALOG_LISTS } from '../catalog-kinds.ts'
import { type FleetItem, isFleetItem } from './fleet-member.ts'
import { type Choice, type ItemRef, refKey } from './virtual-choices.ts'
import type { PinState, VirtualItem } from './virtual-record.ts'
import type { OfferedItem } from './virtual-repository.ts'

const NOT_OFFERED = 'is not offered by a server that you may use'

/** What the stored catalogue offers of the chosen items, by item. */
export type Offers = ReadonlyMap<string, OfferedItem>

/** The offers by what they are of. */
export function offersOf(offered: readonly OfferedItem[]): Offers {
  return new Map(offered.map((item) => [refKey(item), item]))
}

/** Whether the actor may list the server, and the item on it. */
export function mayList(actor: Actor, offer: OfferedItem): boolean {
  const server = { ...offer, path: offer.server }
  if (!canPermission(actor, 'list_service', server)) return false
  if (decide(actor, server, CATALOG_LISTS[offer.kind].method).kind !== 'allow') return false
  const shows = offer.kind === 'tool' ? toolFilter(actor, server) : 'all'
  return shows === 'all' || shows(offer.key)
}

/** How the item's pin stands. */
export function pinStateOf(item: VirtualItem, offers: Offers): PinState {
  const offer = offers.get(refKey(item))
  if (offer === undefined) return 'missing'
  return offer.contentHash === item.contentHash ? 'ok' : 'changed'
}

/**
 * The chosen items, each pinned to what is offered now. One that was chosen before keeps its pin,
 * so that changing something else approves nothing. The items of a fleet's tool share one pin, that
 * of the first: what is another tool is held back. Throws `invalid_params` for new ones that are
 * not offered, or not to this actor: nobody gives others what is kept from himself.
 */
export function pinChoices(
  actor: Actor,
  choices: readonly Choice[],
  before: readonly VirtualItem[],
  offers: Offers,
): VirtualItem[] {
  const pins = new Map(before.map((item) => [pinKey(item), item.contentHash]))
  const known = new Set(before.map(refKey))
  const problems: InputProblem[] = []
  const items = choices.flatMap(({ at, ...item }): VirtualItem[] => {
    const offered = offeredHash(actor, item, offers)
    const isLost = isFleetItem(item) && !known.has(refKey(item)) && offered === undefined
    const contentHash = isLost ? undefined : (pins.get(pinKey(item)) ?? offered)
    if (contentHash === undefined) {
      problems.push({ path: at, message: NOT_OFFERED })
      return []
    }
    pins.set(pinKey(item), contentHash)
    return [{ ...item, contentHash }]
  })
  if (problems.length > 0) throw invalidInput(problems)
  return items
}

/** Equal for items with one pin. */
function pinKey(item: Omit<VirtualItem, 'contentHash'>): string {
  return isFleetItem(item) ? fleetKey(item) : refKey(item)
}

function fleetKey({ key, name }: FleetItem<Omit<VirtualItem, 'contentHash'>>): string {
  return `fleet ${JSON.stringify([name, key])}`
}

/**
 * The items with new pins: those that `named` holds, or all that the actor may use. A fleet's tool is
 * pinned as a whole, to what its named item is, or else the first of them that the actor may use.
 * Throws `invalid_params` for a named one that is not among the items, or not offered to the actor.
 */
export function repinItems(
  actor: Actor,
  items: readonly VirtualItem[],
  named: readonly ItemRef[] | undefined,
  offers: Offers,
): VirtualItem[] {
  const indexes = new Map(named?.map((ref, index) => [refKey(ref), index]))
  const problems: InputProblem[] = []
  const pins = new Map<string, string>()
  for (const item of items) {
    const index = indexes.get(refKey(item))
    indexes.delete(refKey(item))
    if (named !== undefined && index === undefined) continue
    const contentHash = offeredHash(actor, item, offers)
    const isFirst = !pins.has(pinKey(item))
    if (contentHash !== undefined && isFirst) pins.set(pinKey(item), contentHash)
    else if (contentHash === undefined && index !== undefined) {
      problems.push({ path: `items.${index}`, message: NOT_OFFERED })
    }
  }
  for (const index of indexes.values()) {
    problems.push({ path: `items.${index}`, message: 'is not in this virtual server' })
  }
  if (problems.length > 0) throw invalidInput(problems)
  return items.map((item) => ({ ...item, contentHash: pins.get(pinKey(item)) ?? item.contentHash }))
}

function offeredHash(
  actor: Actor,
  item: Omit<VirtualItem, 'contentHash'>,
  offers: Offers,
): string | undefined {
  const offer = offers.get(refKey(item))
  return offer !== undefined && mayList(actor, offer) ? offer.contentHash : undefined
}
