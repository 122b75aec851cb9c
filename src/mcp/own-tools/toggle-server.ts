import { z } from 'zod'
import { type OwnToolDeps, ownTool } from './own-tool.ts'
import { ServerName, serverView } from './views.ts'

const Input = z.strictObject({
  server: ServerName,
  enabled: z
    .boolean()
    .optional()
    .describe('true enables, false disables. Without it the state flips: better say it.'),
})

/** `toggle_server`: takes a server out of service, or back into it. */
export const toggleServerTool = ({ verbs }: Pick<OwnToolDeps, 'verbs'>) =>
  ownTool({
    name: 'toggle_server',
    permission: 'toggle_service',
    title: 'Enable or disable a server',
    description:
      'Enables or disables a registered server for everyone. A disabled server stays registered, but nobody can list or call its tools until it is enabled again.',
    input: Input,
    output: z.object(serverView),
    annotations: {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: false,
      openWorldHint: false,
    },
    run: async (ctx, actor, { server, ...change }) => ({
      output: await verbs.toggleServer(ctx, actor, server, change),
    }),
  })
