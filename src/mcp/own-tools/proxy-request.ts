import { z } from 'zod'
import { GatewayError, invalidInput } from '../../core/index.ts'
import { upstreamError } from '../ask/ask-session.ts'
import { RoutingNote } from '../routing/routing-note.ts'
import { RouteWish } from '../routing/wish.ts'
import { ambiguousMember } from '../wire/ambiguous-member.ts'
import { type OwnToolDeps, ownTool } from './own-tool.ts'
import { ServerName } from './views.ts'

/** Requests that stand for themselves: none opens, ends or listens. */
const METHODS = [
  'tools/call',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'prompts/list',
  'prompts/get',
  'completion/complete',
] as const

const Input = z.strictObject({
  server: ServerName.optional().describe(
    'Name of the server as list_servers gives it in `path`. Without it the gateway chooses one that has the tool or resource which params names.',
  ),
  route: RouteWish.optional().describe('Without `server`: among which servers to choose.'),
  method: z.enum(METHODS).default('tools/call').describe('The MCP request to send.'),
  params: z
    .record(z.string(), z.unknown())
    .default({})
    .describe(
      'Its parameters, such as {"name": "get_time", "arguments": {"zone": "UTC"}} for tools/call.',
    ),
})

const FIX = 'Correct method and params; tools/list shows what each tool takes.'

const Output = z.object({
  server: z.string(),
  method: z.string(),
  routing: RoutingNote.optional().describe('Where the gateway chose the server: why that one.'),
  result: z.record(z.string(), z.unknown()).describe("The server's result as it gave it."),
})

/** `proxy_request`: one request to one server, under the caller's own rights there. */
export const proxyRequestTool = ({
  proxyRequest,
  findServer,
}: Pick<OwnToolDeps, 'proxyRequest' | 'findServer'>) =>
  ownTool({
    name: 'proxy_request',
    title: 'Send a request to a server',
    description:
      'Sends one MCP request to a registered server and gives its result: call a tool, list or read what the server offers. Your own rights on that server apply. Use list_servers to find a server and `tools/list` here to see its tools and their arguments; call a tool by its own name, without the server as a prefix. Leave `server` out to have the gateway choose the best server that has the tool; the result says which one and why.',
    input: Input,
    output: Output,
    annotations: {
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: false,
      openWorldHint: true,
    },
    async run(ctx, actor, { server: named, route, method, params }) {
      // The envelope is between the gateway and the server.
      const { _meta: _, ...own } = params
      requireUnambiguous(own)
      if (named !== undefined && route !== undefined) {
        throw invalidInput([{ path: 'route', message: 'is for requests without a server' }])
      }
      const request = { method, params: own, wish: route ?? {} }
      const found = named === undefined ? await findServer(ctx, actor, request) : undefined
      const server = named ?? found?.path ?? ''
      const answer = await proxyRequest(ctx, actor, server, { method, params: own })
      if (answer.kind === 'error') throw upstreamError({ path: server }, answer, FIX)
      const { result } = answer
      const routing = found && { routing: found.note(ctx.facts.endpoint) }
      return { output: { server, method, ...routing, result }, isError: result['isError'] === true }
    },
  })

/** The relay would refuse it too, as no message: the caller must learn that it was theirs. */
function requireUnambiguous(params: Readonly<Record<string, unknown>>): void {
  const member = ambiguousMember({ params })
  if (member === undefined) return
  throw new GatewayError(
    'invalid_params',
    `The member ${JSON.stringify(member.slice(0, 64))} of params differs from one of the protocol by its case alone.`,
  )
}
