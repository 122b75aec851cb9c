import { type InputProblem, invalidInput, type ServerPath } from '../../core/index.ts'
import { CATALOG_LISTS, type CatalogList } from '../catalog-kinds.ts'
import type { VirtualItem } from './virtual-record.ts'
import type { ItemRef } from './virtual-repository.ts'
import { ExposedName, MAX_VIRTUAL_ITEMS, type VirtualServerPatch } from './virtual-schemas.ts'

/** An item of an input, not yet pinned. */
export interface Choice extends Omit<VirtualItem, 'contentHash'> {
  /** Where it stands in the input. */
  readonly at: string
}

/** The lists of an input; an absent one is not spoken of. */
type Lists = {
  readonly [Name in CatalogList['member']]?: VirtualServerPatch[Name] | undefined
}

/** What all kinds of items have in an input. */
interface Words {
  readonly server: ServerPath
  readonly title?: string | undefined
  readonly description?: string | undefined
}

/** The items that the given lists name. Absent lists name none. */
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

/** Items whose list the input leaves out: they stay. */
export function itemsLeftAlone(items: readonly VirtualItem[], lists: Lists): VirtualItem[] {
  return items.filter(({ kind }) => lists[CATALOG_LISTS[kind].member] === undefined)
}

/** Throws `invalid_params` for too many items, the same one twice, and names that cannot be told apart. */
export function checkChoices(choices: readonly Choice[], kept: number): void {
  const total = choices.length + kept
  if (total > MAX_VIRTUAL_ITEMS) {
    const message = `must not hold more than ${MAX_VIRTUAL_ITEMS} items of all kinds together`
    throw invalidInput([{ path: '', message }])
  }
  const items = new Set<string>()
  const names = new Set<string>()
  const problems: InputProblem[] = []
  for (const choice of choices) {
    const isNamed = choice.kind === 'tool' || choice.kind === 'prompt'
    const item = refKey(choice)
    const name = `${choice.kind} ${choice.name}`
    if (items.has(item)) problems.push({ path: choice.at, message: 'is chosen twice' })
    else if (isNamed && !ExposedName.safeParse(choice.name).success) {
      problems.push({ path: `${choice.at}.as`, message: 'is needed: the name cannot be used here' })
    } else if (isNamed && names.has(name)) {
      problems.push({ path: `${choice.at}.as`, message: 'must be a name that no other has' })
    }
    items.add(item)
    names.add(name)
  }
  if (problems.length > 0) throw invalidInput(problems)
}

/** Equal for references to the same item. */
export function refKey({ kind, server, key }: ItemRef): string {
  return `${kind} ${server} ${key}`
}
