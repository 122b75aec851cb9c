import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Driver } from './drivers.ts'

/** Where a driver's client connects to. */
export interface Target {
  readonly url: string
  /** The revision that the run is about. */
  readonly revision: string
  readonly token?: string
}

/** Connects as the revision wants it, with an elicitation handler where the driver answers. */
export async function connect({ url, revision, token }: Target, driver: Driver): Promise<Client> {
  const client = new Client(
    { name: 'gatehouse-conformance', version: '1.0.0' },
    {
      capabilities: driver.capabilities ?? {},
      versionNegotiation: { mode: revision === '2026-07-28' ? 'auto' : 'legacy' },
    },
  )
  const { answer } = driver
  if (answer) {
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: answer }))
  }
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
  )
  return client
}
