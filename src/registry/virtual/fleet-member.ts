import { z } from 'zod'

/** Names the argument by which a caller says which upstream it means. */
export const SelectorName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,63}$/,
    'must be a letter and at most 63 of A-Z, a-z, 0-9, _ and -',
  )

/** Makes an item one of several that are shown as one tool. */
export const FleetMember = z.strictObject({
  selector: SelectorName,
  /** What a caller gives the selector to mean this upstream. */
  value: z.string(),
  /** Of the selector, where the first item of the tool has one. */
  description: z.string().exactOptional(),
})
export type FleetMember = Readonly<z.infer<typeof FleetMember>>

/** An item of a tool that several upstreams share. */
export type FleetItem<T extends { readonly fleet?: FleetMember }> = T & {
  readonly fleet: FleetMember
}

/** Tells such items from all others. */
export function isFleetItem<T extends { readonly fleet?: FleetMember }>(
  item: T,
): item is FleetItem<T> {
  return item.fleet !== undefined
}
