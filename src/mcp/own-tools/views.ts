import { z } from 'zod'

/** Names a server in tool arguments; whether it exists, the verb says. */
export const ServerName = z
  .string()
  .min(1)
  .max(31)
  .describe('Name of the server as list_servers gives it in `path`, such as "github".')

/** A server as a model needs it: less than REST shows, and no addresses. */
export const serverView = {
  path: z.string().describe('Name of the server: use it in other tools and in /{path}/mcp.'),
  name: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  visibility: z.string().describe('public, group or private.'),
  enabled: z.boolean().describe('A disabled server cannot be called.'),
  health: z.string().describe('healthy, unhealthy or unknown, as of the last check.'),
  discovered: z
    .object({
      tools: z.number(),
      resources: z.number(),
      resourceTemplates: z.number(),
      prompts: z.number(),
    })
    .describe('How much the server offers.'),
}
