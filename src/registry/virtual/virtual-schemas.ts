import { z } from 'zod'
import { ServerPath } from '../../core/index.ts'
import { CatalogKind } from '../catalog-kinds.ts'
import { fields, line, NAMES_NO_GROUP, namesItsGroups, unique } from '../schemas.ts'
import { SelectorName } from './fleet-member.ts'

/** Items of all kinds together. */
export const MAX_VIRTUAL_ITEMS = 500
/** Items of tools that several upstreams share, each upstream of each tool counted. */
export const MAX_FLEET_ITEMS = 1_500
const MAX_FLEETS = 20
const MAX_MEMBERS = 100
const MAX_KEY_CHARS = 2048

/** What a tool or a prompt is called on a virtual server (MCP 2026-07-28, Tools, Tool Names). */
export const ExposedName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 of A-Z, a-z, 0-9, _, . and -')

const key = z.string().min(1).max(MAX_KEY_CHARS)
const about = {
  title: line(200).optional(),
  description: z.string().min(1).max(4000).optional(),
}

/** A tool or a prompt of a server. */
const NamedChoice = z.strictObject({
  server: ServerPath,
  /** The upstream's name. */
  name: key,
  /** Its name here; the upstream's when absent. */
  as: ExposedName.optional(),
  ...about,
})
const ResourceChoice = z.strictObject({
  server: ServerPath,
  uri: key,
  /** Shown instead of the upstream's name; the URI stays what it is. */
  name: line(200).optional(),
  ...about,
})
const TemplateChoice = z.strictObject({
  server: ServerPath,
  uriTemplate: key,
  name: line(200).optional(),
  ...about,
})

/** Upstreams that are shown as one: each of their tools once, with an argument that says which. */
const FleetInput = z.strictObject({
  selector: SelectorName.describe('The argument; no tool of the fleet may have one of its name.'),
  description: z.string().min(1).max(500).optional().describe('Of the argument, for models.'),
  members: z
    .array(z.strictObject({ value: line(64), server: ServerPath }))
    .min(1)
    .max(MAX_MEMBERS)
    .refine((members) => unique(members.map(({ value }) => value)), 'must not repeat a value')
    .refine((members) => unique(members.map(({ server }) => server)), 'must not repeat a server')
    .describe('The first one says what the tools are.'),
  tools: z
    .array(z.strictObject({ name: key, as: ExposedName.optional(), ...about }))
    .min(1)
    .max(MAX_VIRTUAL_ITEMS)
    .optional()
    .describe('Without it, all tools that every member offers now.'),
})
export type FleetInput = z.infer<typeof FleetInput>

const lists = {
  tools: z.array(NamedChoice).max(MAX_VIRTUAL_ITEMS),
  prompts: z.array(NamedChoice).max(MAX_VIRTUAL_ITEMS),
  resources: z.array(ResourceChoice).max(MAX_VIRTUAL_ITEMS),
  resourceTemplates: z.array(TemplateChoice).max(MAX_VIRTUAL_ITEMS),
  fleets: z.array(FleetInput).max(MAX_FLEETS),
}
const instructions = z.string().max(4000)

/** A whole virtual server, as created and as replaced. */
export const VirtualServerInput = z
  .strictObject({
    path: ServerPath,
    name: fields.name,
    description: fields.description.default(''),
    instructions: instructions.default(''),
    visibility: fields.visibility.default('public'),
    allowedGroups: fields.allowedGroups.default([]),
    enabled: fields.enabled.default(true),
    tools: lists.tools.default([]),
    prompts: lists.prompts.default([]),
    resources: lists.resources.default([]),
    resourceTemplates: lists.resourceTemplates.default([]),
    fleets: lists.fleets.default([]),
  })
  .refine(namesItsGroups, NAMES_NO_GROUP)
export type VirtualServerInput = z.infer<typeof VirtualServerInput>

/** The members to change; a list that is given replaces the items of its kind. */
export const VirtualServerPatch = z
  .strictObject({
    name: fields.name.optional(),
    description: fields.description.optional(),
    instructions: instructions.optional(),
    visibility: fields.visibility.optional(),
    allowedGroups: fields.allowedGroups.optional(),
    enabled: fields.enabled.optional(),
    tools: lists.tools.optional(),
    prompts: lists.prompts.optional(),
    resources: lists.resources.optional(),
    resourceTemplates: lists.resourceTemplates.optional(),
    fleets: lists.fleets.optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'must change something')
export type VirtualServerPatch = z.infer<typeof VirtualServerPatch>

/** The items to accept as their upstreams offer them now; all of them when absent. */
export const RepinInput = z.strictObject({
  items: z
    .array(
      z.strictObject({
        kind: CatalogKind,
        server: ServerPath,
        /** The upstream's name, URI or URI template. */
        key,
      }),
    )
    .min(1)
    .max(MAX_VIRTUAL_ITEMS)
    .optional(),
})
export type RepinInput = z.infer<typeof RepinInput>
