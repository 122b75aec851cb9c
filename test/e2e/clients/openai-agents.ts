import { importInterop } from '../interop.ts'
import { authorization, type ForeignClient, resourceText, textOf } from './foreign-client.ts'

/** The part of `@openai/agents` that is used here. */
interface Agents {
  readonly MCPServerStreamableHttp: new (options: {
    readonly url: string
    readonly requestInit: { readonly headers: Readonly<Record<string, string>> }
  }) => AgentsServer
}

interface AgentsServer {
  connect(): Promise<void>
  listTools(): Promise<readonly { readonly name: string }[]>
  callTool(name: string, args: Record<string, unknown>): Promise<unknown>
  readResource(uri: string): Promise<unknown>
  close(): Promise<void>
}

/** The OpenAI Agents SDK, without an agent: its own class for a server of Streamable HTTP. */
export const openaiAgents: ForeignClient = {
  list: (url, token) =>
    using(url, token, async (server) => (await server.listTools()).map(({ name }) => name)),
  call: (url, token, tool, args) =>
    using(url, token, async (server) =>
      // It hands out the content alone.
      textOf({ content: await server.callTool(tool, { ...args }) }),
    ),
  read: (url, token, uri) =>
    using(url, token, async (server) => resourceText(await server.readResource(uri))),
  prompt: { notOffered: 'its classes for MCP servers have tools and resources, and no prompts' },
}

async function using<T>(
  url: string,
  token: string,
  verb: (server: AgentsServer) => Promise<T>,
): Promise<T> {
  // Typed by hand: its own types are not installed with the gateway's.
  const { MCPServerStreamableHttp } = (await importInterop('@openai/agents')) as Agents
  const requestInit = { headers: authorization(token) }
  const server = new MCPServerStreamableHttp({ url, requestInit })
  try {
    await server.connect()
    return await verb(server)
  } finally {
    await server.close()
  }
}
