import { isPlainObject } from '../../core/index.ts'
import { type FleetItem, fleetsOf, type PinnedItem } from '../../registry/index.ts'

/** The argument of a fleet's tool, as one caller sees it. */
export interface Selector {
  readonly name: string
  readonly description: string
  /** Of the members that this caller is shown; at least one. */
  readonly values: readonly string[]
}

/** A fleet's tool in a list: which of its items stands for it, and in whose words. */
export interface FleetView {
  readonly lead: FleetItem<PinnedItem>
  readonly title?: string
  readonly toolDescription?: string
  readonly selector: Selector
}

const DESCRIPTION = 'Which of the upstreams the call is for.'

/**
 * How each tool of a fleet is shown, by its name: with the members that take part for the caller
 * alone. One of which nobody takes part is not shown.
 */
export function fleetViews(
  items: readonly PinnedItem[],
  takesPart: (item: PinnedItem) => boolean,
): ReadonlyMap<string, FleetView> {
  const views = new Map<string, FleetView>()
  for (const [name, members] of fleetsOf(items)) {
    const shown = members.filter((item) => item.state === 'ok' && takesPart(item))
    const [lead] = shown
    const [first] = members
    if (!lead || !first) continue
    const { title, description, fleet } = first
    views.set(name, {
      lead,
      ...(title === undefined ? {} : { title }),
      ...(description === undefined ? {} : { toolDescription: description }),
      selector: {
        name: fleet.selector,
        description: fleet.description ?? DESCRIPTION,
        values: shown.map((item) => item.fleet.value),
      },
    })
  }
  return views
}

/** A tool's input schema with the selector as a required argument. */
export function withSelector(schema: unknown, { name, description, values }: Selector): object {
  const own = isPlainObject(schema) ? schema : {}
  const { properties, required } = own
  const argument = { type: 'string', enum: values, description }
  return {
    ...own,
    type: 'object',
    // Computed, so that no name means anything else than itself.
    properties: { ...(isPlainObject(properties) ? properties : {}), [name]: argument },
    required: [...(Array.isArray(required) ? required : []), name],
  }
}
