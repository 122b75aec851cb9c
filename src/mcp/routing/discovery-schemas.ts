import { z } from 'zod'
import { RoutedServer } from './routing-note.ts'

const paging = {
  cursor: z.string().max(2048).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(30),
}
const filters = {
  tag: z.string().min(1).max(50).optional().describe('Only servers with this tag.'),
  text: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe('Part of the name or URI, in upper or lower case.'),
}
const key = z.string().min(1).max(2048).optional()

/** Which tools to find, and which page of them. */
export const FindToolsQuery = z.strictObject({
  name: key.describe('The tool, as its servers call it; all of them without.'),
  ...filters,
  ...paging,
})
/** Which resources to find, and which page of them. */
export const FindResourcesQuery = z.strictObject({
  uri: key.describe('The resource, as its servers call it; all of them without.'),
  ...filters,
  ...paging,
})

/** A server that has it, in its place. */
const Offering = RoutedServer.extend({
  as: z.string().describe('How `/mcp` names what this server has.'),
})
const OtherOffering = Offering.extend({
  definition: z.string().describe('Hash of the input schema.'),
})

const more = z.number().optional().describe('How many servers have it besides those shown.')

export const FoundTool = z.strictObject({
  name: z.string(),
  definition: z.string().describe('Hash of the input schema that `servers` share.'),
  servers: z.array(Offering).describe('Best first: the order in which the gateway would choose.'),
  others: z
    .array(OtherOffering)
    .describe(
      'Servers whose tool of this name has another input schema: not chosen, unless a call takes any.',
    ),
  more,
})
export type FoundTool = z.infer<typeof FoundTool>

export const FoundResource = z.strictObject({
  uri: z.string(),
  servers: z.array(Offering).describe('Best first: the order in which the gateway would choose.'),
  more,
})
export type FoundResource = z.infer<typeof FoundResource>

const nextCursor = z.string().optional()
export const FoundTools = z.strictObject({ tools: z.array(FoundTool), nextCursor })
export type FoundTools = z.infer<typeof FoundTools>
export const FoundResources = z.strictObject({ resources: z.array(FoundResource), nextCursor })
export type FoundResources = z.infer<typeof FoundResources>
