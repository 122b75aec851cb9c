import { z } from 'zod'
import { ServerPath } from '../../core/index.ts'

/** Which server to connect to: its path, under any one of three names. */
export const ConnectInput = z
  .strictObject({
    server_name: ServerPath.optional(),
    server_id: ServerPath.optional(),
    server: ServerPath.optional(),
  })
  .refine((input) => Object.keys(input).length === 1, {
    path: ['server_name'],
    message: 'must be given, once',
  })

const ToolName = z.string().min(1).max(128)

export const CallToolInput = z
  .strictObject({
    tool_name: ToolName.optional(),
    name: ToolName.optional(),
    arguments: z.record(z.string(), z.unknown()).default({}),
  })
  .refine(({ tool_name, name }) => (tool_name === undefined) !== (name === undefined), {
    path: ['tool_name'],
    message: 'must be given, once',
  })

export const ReadResourceInput = z.strictObject({ uri: z.string().min(1).max(2048) })

export const CursorQuery = z.strictObject({ cursor: z.string().max(2048).optional() })

const instant = z.iso.datetime()
/** As the server gave it. */
const anything = z.record(z.string(), z.unknown())

const about = {
  session_id: z.string(),
  /** Its path. */
  server_name: z.string(),
  /** Null where the server named none that is known. */
  protocol_version: z.string().nullable(),
  server_info: anything,
  capabilities: anything,
  instructions: z.string().optional(),
  connected_at: instant,
  expires_at: instant,
}

/** A session, when it was opened and later. */
export const SessionOut = z.strictObject(about)
export type SessionOut = z.infer<typeof SessionOut>

export const ToolsOut = z.strictObject({ server_name: z.string(), tools: z.array(z.unknown()) })
export const ResourcesOut = z.strictObject({
  server_name: z.string(),
  resources: z.array(z.unknown()),
  resource_templates: z.array(z.unknown()),
})
export const PromptsOut = z.strictObject({
  server_name: z.string(),
  prompts: z.array(z.unknown()),
})

export const CallToolOut = z.strictObject({
  content: z.array(z.unknown()),
  structured_content: z.unknown().optional(),
  is_error: z.boolean(),
})
export type CallToolOut = z.infer<typeof CallToolOut>

export const ReadResourceOut = z.strictObject({ contents: z.array(z.unknown()) })
export type ReadResourceOut = z.infer<typeof ReadResourceOut>

/** Tools of every server the caller may use, under the names that `/mcp` gives them. */
export const AllToolsOut = z.strictObject({
  tools: z.array(z.unknown()),
  nextCursor: z.string().optional(),
})
