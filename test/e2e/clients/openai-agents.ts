import { importInterop } from '../interop.ts'
import { authorization, type ForeignClient, resourceText, textOf } from './foreign-client.ts'

/** The part of `@openai/agents` that is used here. */
type Agents = Readonly<
  Record<
    'MCPServerStreamableHttp' | 'MCPServerSSE',
    new (options: {
      readonly url: string
      readonly requestInit: { readonly headers: Readonly<Record<string, string>> }
    }) => AgentsServer
  >
>

interface AgentsServer {
  connect(): Promise<void>
  listTools(): Promise<readonly { readonly name: string }[]>
  callTool(name: string, args: Record<string, unknown>): Promise<unknown>
  readResource(uri: string): Promise<unknown>
  close(): Promise<void>
}

const NO_PROMPTS = 'its classes for MCP servers have tools and resources, and no prompts'

/** The OpenAI Agents SDK, without an agent: its own class for a server of the transport. */
export const openaiAgents = (className: keyof Agents): ForeignClient => ({
  notOffered: { prompt: NO_PROMPTS },
  async connect(url, token) {
    // Typed by hand: its own types are not installed with the gateway's.
    const { [className]: Server } = (await importInterop('@openai/agents')) as Agents
    const server = new Server({ url, requestInit: { headers: authorization(token) } })
    try {
      await server.connect()
    } catch (error) {
      await server.close()
      throw error
    }
    return {
      list: async () => (await server.listTools()).map(({ name }) => name),
      // It hands out the content alone.
      call: async (tool, args) => textOf({ content: await server.callTool(tool, { ...args }) }),
      read: async (uri) => resourceText(await server.readResource(uri)),
      prompt: () => Promise.reject(new Error(NO_PROMPTS)),
      close: () => server.close(),
    }
  },
})
