import type { Client, ClientCapabilities } from '@modelcontextprotocol/client'
import { z } from 'zod'

/** What a client does in a scenario. */
export interface Driver {
  readonly capabilities?: ClientCapabilities
  /** What it answers when it is asked for input. */
  readonly answer?: Record<string, boolean>
  drive(client: Client): Promise<void>
}

const ToolCalls = z.object({
  toolCalls: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })),
})

/** One per scenario; each lists before it calls, as a client must to know what it calls. */
export const DRIVERS: Readonly<Record<string, Driver>> = {
  initialize: { drive: list },
  'json-schema-ref-no-deref': { drive: list },

  'request-metadata': {
    capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
    drive: list,
  },

  tools_call: { drive: (client) => call(client, 'add_numbers', { a: 5, b: 3 }) },
  'sse-retry': { drive: (client) => call(client, 'test_reconnection') },

  'elicitation-sep1034-client-defaults': {
    capabilities: { elicitation: { form: { applyDefaults: true } } },
    answer: {},
    drive: (client) => call(client, 'test_client_elicitation_defaults'),
  },

  'http-standard-headers': {
    async drive(client) {
      const { tools } = await client.listTools()
      for (const { name } of tools) await client.callTool({ name })
      const { resources } = await client.listResources()
      for (const { uri } of resources) await client.readResource({ uri })
      const { prompts } = await client.listPrompts()
      for (const { name } of prompts) await client.getPrompt({ name })
    },
  },

  'http-custom-headers': {
    async drive(client) {
      await client.listTools()
      const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '')
      for (const toolCall of ToolCalls.parse(context).toolCalls) await client.callTool(toolCall)
    },
  },

  'http-invalid-tool-headers': {
    async drive(client) {
      const { tools } = await client.listTools()
      for (const { name } of tools) {
        await client.callTool({ name, arguments: { region: 'us-west1' } })
      }
    },
  },

  'sep-2322-client-request-state': {
    capabilities: { elicitation: {} },
    answer: { confirmed: true },
    async drive(client) {
      await call(client, 'test_mrtr_echo_state')
      await call(client, 'test_mrtr_no_state')
      await call(client, 'test_mrtr_unrelated')
      // A client may refuse a result without its type; it must not ask for more.
      await call(client, 'test_mrtr_no_result_type').catch(() => {})
    },
  },

  'json-schema-2020-12-preservation': {
    async drive(client) {
      const { tools } = await client.listTools()
      const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema
      await client.callTool({ name: 'json_schema_echo', arguments: { schema } })
    },
  },
}

async function list(client: Client): Promise<void> {
  await client.listTools()
}

async function call(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<void> {
  const { tools } = await client.listTools()
  if (!tools.some((tool) => tool.name === name)) throw new Error(`there is no tool ${name}`)
  await client.callTool({ name, arguments: args })
}
