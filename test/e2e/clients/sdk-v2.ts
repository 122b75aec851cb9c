import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { authorization, fromConnected } from './foreign-client.ts'

type Mode = 'auto' | 'legacy' | { readonly pin: string }

/** SDK v2; `auto` finds out the era by itself. */
export async function connectV2(url: string, token: string, mode: Mode): Promise<Client> {
  const client = new Client(
    { name: 'e2e', version: '1.0.0' },
    { versionNegotiation: { mode: typeof mode === 'string' ? mode : { ...mode } } },
  )
  const requestInit = { headers: authorization(token) }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return client
}

export const sdkV2 = (mode: Mode) => fromConnected((url, token) => connectV2(url, token, mode))

/** The same over HTTP+SSE, as MCP 2024-11-05 has it: its transport is of the legacy era alone. */
export const sdkV2Sse = fromConnected(async (url, token) => {
  const client = new Client({ name: 'e2e', version: '1.0.0' })
  const requestInit = { headers: authorization(token) }
  await client.connect(new SSEClientTransport(new URL(url), { requestInit }))
  return client
})
