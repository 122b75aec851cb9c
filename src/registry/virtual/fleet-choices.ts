import { type InputProblem, invalidInput, type TenantId } from '../../core/index.ts'
import type { Actor } from '../../policy/index.ts'
import type { Repositories } from '../repository.ts'
import { type FleetItem, isFleetItem } from './fleet-member.ts'
import { type Choice, refKey } from './virtual-choices.ts'
import { mayList, type Offers, offersOf, pinStateOf } from './virtual-pins.ts'
import type { VirtualItem } from './virtual-record.ts'
import type { OfferedSchema } from './virtual-repository.ts'
import { type FleetInput, MAX_FLEET_ITEMS } from './virtual-schemas.ts'

type Deps = { readonly repositories: Pick<Repositories, 'catalog' | 'virtuals'> }
type FleetTool = NonNullable<FleetInput['tools']>[number]

/**
 * An item for each upstream of each tool of the fleets. Throws `invalid_params` for a fleet without
 * named tools whose members share none that the actor may list, or too many.
 */
export async function fleetChoices(
  { repositories }: Deps,
  actor: Actor,
  fleets: readonly FleetInput[],
): Promise<Choice[]> {
  const { tenant } = actor.principal
  const choices: Choice[] = []
  for (const [index, fleet] of fleets.entries()) {
    const tools = fleet.tools ?? (await sharedTools(repositories, actor, tenant, index, fleet))
    choices.push(...tools.flatMap((tool, at) => itemsOf(fleet, tool, placeOf(fleet, index, at))))
  }
  return choices
}

function placeOf({ tools }: FleetInput, index: number, at: number): string {
  return tools ? `fleets.${index}.tools.${at}` : `fleets.${index}`
}

/** The first item has the words of them all. */
function itemsOf(fleet: FleetInput, tool: FleetTool, at: string): Choice[] {
  const { selector, description, members } = fleet
  const { name: key, as: name = key, ...about } = tool
  return members.map(({ server, value }, index): Choice => {
    const isFirst = index === 0
    const words = isFirst ? withoutAbsent(about) : {}
    const member = { selector, value, ...(isFirst ? withoutAbsent({ description }) : {}) }
    return { kind: 'tool', server, key, name, ...words, fleet: member, at }
  })
}

function withoutAbsent<T extends object>(words: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const present = Object.entries(words).filter(([, value]) => value !== undefined)
  return Object.fromEntries(present) as { [K in keyof T]?: NonNullable<T[K]> }
}

async function sharedTools(
  { catalog, virtuals }: Deps['repositories'],
  actor: Actor,
  tenant: TenantId,
  index: number,
  { members }: FleetInput,
): Promise<FleetTool[]> {
  const [first] = members
  const keys = first ? await catalog.servedKeys(tenant, first.server, 'tool') : []
  if (keys.length * members.length > MAX_FLEET_ITEMS) {
    const message = `would hold more than ${MAX_FLEET_ITEMS} items: name its tools`
    throw invalidInput([{ path: `fleets.${index}`, message }])
  }
  const refs = keys.flatMap((key) => {
    return members.map(({ server }) => ({ kind: 'tool', server, key }) as const)
  })
  const offers = offersOf(await virtuals.offered(tenant, refs))
  const shared = keys.filter((key) =>
    members.every(({ server }) => {
      const offer = offers.get(refKey({ kind: 'tool', server, key }))
      return offer !== undefined && mayList(actor, offer)
    }),
  )
  if (shared.length > 0) return shared.map((name) => ({ name }))
  const message = 'its members share no tool that you may use'
  throw invalidInput([{ path: `fleets.${index}`, message }])
}

/** Keywords by which a schema may refuse a property that is added, or say something of it. */
const CLOSING: ReadonlySet<string> = new Set([
  ...['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'enum', 'const'],
  ...['propertyNames', 'patternProperties', 'maxProperties', 'dependentSchemas'],
  'unevaluatedProperties',
])

/**
 * Throws `invalid_params` for tools to which the selector cannot be added: they have an argument of
 * that name, or a schema that might not take another. What is held back is not looked at. `choices`
 * say where an item stands in the input.
 */
export async function checkSelectors(
  { repositories }: Deps,
  tenant: TenantId,
  items: readonly VirtualItem[],
  offers: Offers,
  choices: readonly Choice[] = [],
): Promise<void> {
  const served = items.filter((item) => pinStateOf(item, offers) === 'ok').filter(isFleetItem)
  const schemas = await repositories.virtuals.offeredSchemas(tenant, served)
  const byRef = new Map(schemas.map((schema) => [refKey(schema), schema]))
  const places = new Map(choices.map((choice) => [refKey(choice), choice.at]))
  const problems = new Map<string, InputProblem>()
  for (const item of served) {
    const message = selectorProblem(item, byRef.get(refKey(item)))
    const path = places.get(refKey(item)) ?? 'fleets'
    if (message !== undefined) problems.set(`${path} ${message}`, { path, message })
  }
  if (problems.size > 0) throw invalidInput([...problems.values()])
}

function selectorProblem(
  { key, fleet }: FleetItem<VirtualItem>,
  schema: OfferedSchema | undefined,
): string | undefined {
  if (!schema) return undefined
  const tool = JSON.stringify(key.slice(0, 128))
  if (schema.hasProperty) return `the tool ${tool} has an argument "${fleet.selector}" of its own`
  const closing = schema.keywords.find((keyword) => CLOSING.has(keyword))
  return closing === undefined
    ? undefined
    : `the schema of the tool ${tool} has ${closing}: no argument can be added to it`
}
