import { type InputProblem, invalidInput, type ServerPath } from '../../core/index.ts'
import { countKinds, type DiscoveredCounts } from '../catalog.ts'
import { CATALOG_LISTS, type CatalogList } from '../catalog-kinds.ts'
import { isFleetItem } from './fleet-member.ts'
import type { VirtualItem } from './virtual-record.ts'
import {
  ExposedName,
  MAX_FLEET_ITEMS,
  MAX_VIRTUAL_ITEMS,
  type VirtualServerPatch,
} from './virtual-schemas.ts'

/** Names one item of one server. */
export type ItemRef = Pick<VirtualItem, 'kind' | 'server' | 'key'>

/** An item of an input, not yet pinned. */
export interface Choice extends Omit<VirtualItem, 'contentHash'> {
  /** Where it stands in the input. */
  readonly at: string
}

/** The lists of an input; an absent one is not spoken of. */
type Lists = {
  readonly [Name in CatalogList['member'] | 'fleets']?: VirtualServerPatch[Name] | undefined
}

/** What all kinds of items have in an input. */
interface Words {
  readonly server: ServerPath
  readonly title?: string | undefined
  readonly description?: string | undefined
}

/** The items that the given lists name, but for fleets. Absent lists name none. */
export function choicesOf(lists: Lists): Choice[] {
  const named = (kind: 'tool' | 'prompt', list: Lists['tools'] = []): Choice[] =>
    list.map(({ name, as = name, ...rest }, at) => choice(kind, at, rest, name, as))
  return [
    ...named('tool', lists.tools),
    ...named('prompt', lists.prompts),
    ...(lists.resources ?? []).map(({ uri, name = '', ...rest }, at) =>
      choice('resource', at, rest, uri, name),
    ),
    ...(lists.resourceTemplates ?? []).map(({ uriTemplate, name = '', ...rest }, at) =>
      choice('template', at, rest, uriTemplate, name),
    ),
  ]
}

function choice(
  kind: VirtualItem['kind'],
  index: number,
  { server, title, description }: Words,
  key: string,
  name: string,
): Choice {
  return {
    ...{ kind, server, key, name, at: `${CATALOG_LISTS[kind].member}.${index}` },
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
  }
}

/** What of an input is no list of items. */
export function withoutLists<T extends Lists>(input: T): Omit<T, keyof Lists> {
  const {
    tools: _t,
    prompts: _p,
    resources: _r,
    resourceTemplates: _rt,
    fleets: _f,
    ...rest
  } = input
  return rest
}

/** Items whose list the input leaves out: they stay. */
export function itemsLeftAlone(items: readonly VirtualItem[], lists: Lists): VirtualItem[] {
  return items.filter((item) => {
    return lists[isFleetItem(item) ? 'fleets' : CATALOG_LISTS[item.kind].member] === undefined
  })
}

/**
 * Throws `invalid_params` for too many items, the same one twice, and names that cannot be told
 * apart, also from those that stay.
 */
export function checkChoices(choices: readonly Choice[], kept: readonly VirtualItem[]): void {
  const all = [...choices, ...kept]
  const inFleets = all.filter(isFleetItem).length
  const message =
    inFleets > MAX_FLEET_ITEMS
      ? `must not hold more than ${MAX_FLEET_ITEMS} items of fleets together`
      : all.length - inFleets > MAX_VIRTUAL_ITEMS
        ? `must not hold more than ${MAX_VIRTUAL_ITEMS} items of all kinds together`
        : undefined
  if (message !== undefined) throw invalidInput([{ path: '', message }])
  const items = new Set(kept.map(refKey))
  const names = new Set(kept.map(({ kind, name }) => `${kind} ${name}`))
  const problems: InputProblem[] = []
  let before: Choice | undefined
  for (const choice of choices) {
    // Of a fleet's tool the first item speaks for all: they share its name.
    const isNext = isFleetItem(choice) && before?.at === choice.at && before.key === choice.key
    before = choice
    const isNamed = choice.kind === 'tool' || choice.kind === 'prompt'
    const item = refKey(choice)
    const name = `${choice.kind} ${choice.name}`
    if (items.has(item)) problems.push({ path: choice.at, message: 'is chosen twice' })
    else if (isNamed && !isNext && !ExposedName.safeParse(choice.name).success) {
      problems.push({ path: `${choice.at}.as`, message: 'is needed: the name cannot be used here' })
    } else if (isNamed && !isNext && names.has(name)) {
      problems.push({ path: `${choice.at}.as`, message: 'must be a name that no other has' })
    }
    items.add(item)
    names.add(name)
  }
  if (problems.length > 0) throw invalidInput(problems)
}

/** How many of each kind; a tool of several upstreams is one. */
export function countItems(items: readonly VirtualItem[]): DiscoveredCounts {
  const seen = new Set<string>()
  return countKinds(
    items.filter((item) => {
      const isCounted = !isFleetItem(item) || !seen.has(item.name)
      if (isFleetItem(item)) seen.add(item.name)
      return isCounted
    }),
  )
}

/** Equal for references to the same item. */
export function refKey({ kind, server, key }: ItemRef): string {
  return `${kind} ${server} ${key}`
}
