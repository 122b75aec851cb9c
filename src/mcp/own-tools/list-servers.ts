import { z } from 'zod'
import { type OwnToolDeps, ownTool } from './own-tool.ts'
import { serverView } from './views.ts'

const Input = z.strictObject({
  text: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe('Only servers with this in path, name or description, in any case.'),
  tag: z.string().min(1).max(50).optional().describe('Only servers with this tag, lower-case.'),
  health: z.enum(['healthy', 'unhealthy', 'unknown']).optional(),
  limit: z.number().int().min(1).max(100).default(30).describe('Servers per page.'),
  cursor: z.string().max(2048).optional().describe('`nextCursor` of the page before.'),
})

const Output = z.object({
  servers: z.array(z.object(serverView)),
  nextCursor: z.string().optional().describe('Set when there are more servers.'),
})

/** `list_servers`: the registered servers that the caller may see. */
export const listServersTool = ({ verbs }: Pick<OwnToolDeps, 'verbs'>) =>
  ownTool({
    name: 'list_servers',
    permission: 'list_service',
    title: 'List servers',
    description:
      'Lists the MCP servers registered with this gateway that you may see, by path, a page at a time, with their health and how many tools, resources and prompts each offers. Use it to find a server by topic or tag before calling its tools.',
    input: Input,
    output: Output,
    annotations: {
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
    run: async (ctx, actor, args) => ({ output: await verbs.listServers(ctx, actor, args) }),
  })
