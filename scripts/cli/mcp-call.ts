import {
  type CallToolResult,
  Client,
  ProtocolError,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { z } from 'zod'
import { ApiError } from './api.ts'

export interface McpCall {
  /** Of the MCP endpoint, such as `http://127.0.0.1:8787/currenttime/mcp`. */
  readonly url: string
  readonly token: string
  readonly tool: string
  readonly args: Record<string, unknown>
}

/**
 * Calls one tool the way an agent does: the SDK's client, whichever era the endpoint speaks.
 * Throws `ApiError` when the gateway or the server refuses.
 */
export async function callTool({ url, token, tool, args }: McpCall): Promise<CallToolResult> {
  const client = new Client(
    { name: 'gatehouse-cli', version: '0.1.0' },
    { versionNegotiation: { mode: 'auto' } },
  )
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  })
  try {
    await client.connect(transport)
    return await client.callTool({ name: tool, arguments: args })
  } catch (error) {
    throw refusal(error)
  } finally {
    // A legacy session is ours to end; when that fails it ends by itself.
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

/** A JSON-RPC error, whose `data` says more when it is the gateway's. */
const RpcError = z.object({
  code: z.number(),
  message: z.string(),
  data: z.object({ fix: z.string(), requestId: z.string() }).optional().catch(undefined),
})

/** The refusal in the words of whoever refused; anything else as it is. */
function refusal(error: unknown): unknown {
  const status = error instanceof SdkHttpError ? error.status : 200
  const found = RpcError.safeParse(error instanceof ProtocolError ? error : bodyError(error))
  if (!found.success) return error
  const { code, message, data } = found.data
  const lines = [
    `${message} (${status} ${code})`,
    ...(data ? [`fix: ${data.fix}`, `request id: ${data.requestId}`] : []),
  ]
  return new ApiError(lines.join('\n'), status)
}

/** The JSON-RPC error in the body that the SDK puts behind its own message. */
function bodyError(error: unknown): unknown {
  const text = error instanceof Error ? /\{.*\}/s.exec(error.message)?.[0] : undefined
  if (text === undefined) return undefined
  try {
    const body: { error?: unknown } = JSON.parse(text)
    return body.error
  } catch {
    return undefined
  }
}
