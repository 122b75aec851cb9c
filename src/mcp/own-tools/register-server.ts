import { z } from 'zod'
import { ServerInput } from '../../registry/index.ts'
import { type OwnToolDeps, ownTool } from './own-tool.ts'
import { serverView } from './views.ts'

const { shape } = ServerInput

const Input = z.strictObject({
  ...shape,
  path: shape.path.describe(
    'Name of the new server in URLs and in other tools: 1 to 31 of a-z, 0-9 and -.',
  ),
  name: shape.name.describe('Name for people.'),
  description: shape.description.describe('What the server is good for: it is searched.'),
  tags: shape.tags.describe('Lower-case words to find it by.'),
  visibility: shape.visibility.describe(
    'public: everyone whom the policy allows. group: members of allowedGroups. private: you.',
  ),
  headers: shape.headers.describe(
    'Headers sent with every request to the server, such as an API key; stored sealed.',
  ),
  endpoints: shape.endpoints.describe('Where the server answers: URLs of its MCP endpoint.'),
  allowUnreachable: z
    .boolean()
    .default(false)
    .describe('Register it even when no endpoint answers now.'),
})

/** `register_server`: adds a server, owned by the caller. */
export const registerServerTool = ({ verbs }: Pick<OwnToolDeps, 'verbs'>) =>
  ownTool({
    name: 'register_server',
    permission: 'register_service',
    title: 'Register a server',
    description:
      'Registers an MCP server (Streamable HTTP) with this gateway, with you as its owner. The gateway connects to it at once and stores what it offers; it fails when the path is taken or no endpoint answers. Only `path`, `name` and `endpoints` are needed.',
    input: Input,
    output: z.object(serverView),
    annotations: {
      readOnlyHint: false,
      destructiveHint: false,
      idempotentHint: false,
      openWorldHint: true,
    },
    run: async (ctx, actor, { allowUnreachable, ...server }) => ({
      output: await verbs.registerServer(ctx, actor, server, { allowUnreachable }),
    }),
  })
