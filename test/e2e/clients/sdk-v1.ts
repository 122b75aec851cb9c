import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { authorization, fromConnected } from './foreign-client.ts'

type Transport = Parameters<Client['connect']>[0]

/** SDK v1, which knows the legacy era alone. */
export async function connectV1(url: string, token: string): Promise<Client> {
  const client = new Client({ name: 'e2e', version: '1.0.0' })
  const requestInit = { headers: authorization(token) }
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit })
  // v1 was written without exactOptionalPropertyTypes: its own transport does not fit its own type.
  await client.connect(transport as Transport)
  return client
}

export const sdkV1 = fromConnected(connectV1)

/** The same over HTTP+SSE, as MCP 2024-11-05 has it. */
export const sdkV1Sse = fromConnected(async (url, token) => {
  const client = new Client({ name: 'e2e', version: '1.0.0' })
  const requestInit = { headers: authorization(token) }
  await client.connect(new SSEClientTransport(new URL(url), { requestInit }))
  return client
})
