import {
  type CallToolResult,
  Client,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'

export interface McpCall {
  /** Of the MCP endpoint, such as `http://127.0.0.1:8787/currenttime/mcp`. */
  readonly url: string
  readonly token: string
  readonly tool: string
  readonly args: Record<string, unknown>
}

/** Calls one tool the way an agent does: the SDK's client, whichever era the endpoint speaks. */
export async function callTool({ url, token, tool, args }: McpCall): Promise<CallToolResult> {
  const client = new Client(
    { name: 'gatehouse-cli', version: '0.1.0' },
    { versionNegotiation: { mode: 'auto' } },
  )
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  })
  await client.connect(transport)
  try {
    return await client.callTool({ name: tool, arguments: args })
  } finally {
    await transport.terminateSession().catch(() => {})
    await client.close()
  }
}

/** The text parts of a result; other parts are named by their type. */
export function resultText(result: CallToolResult): string {
  return result.content
    .map((part) => (part.type === 'text' ? part.text : `[${part.type}]`))
    .join('\n')
}
