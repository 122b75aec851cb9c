import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'

let server: ModernServer
let client: Client

beforeAll(async () => {
  server = await startModernServer()
  client = new Client(
    { name: 'modern-test', version: '1.0.0' },
    { versionNegotiation: { mode: 'auto' } },
  )
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)))
})
afterAll(async () => {
  await client.close()
  await server.stop()
})
beforeEach(() => {
  server.requests.length = 0
})

it('refuses the handshake of the legacy era', async () => {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'old', version: '1' },
      },
    }),
  })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { code: -32022 } })
})

it('records the mirrored header of an annotated parameter', async () => {
  await client.listTools()
  await client.callTool({ name: 'region', arguments: { region: 'eu-west' } })
  expect(server.requests.at(-1)).toMatchObject({
    rpcMethod: 'tools/call',
    headers: { 'mcp-method': 'tools/call', 'mcp-name': 'region', 'mcp-param-region': 'eu-west' },
  })
})

it('streams progress before the result', async () => {
  const seen: number[] = []
  const result = await client.callTool(
    { name: 'slow', arguments: { steps: 3, stepMs: 1 } },
    { onprogress: ({ progress }) => seen.push(progress) },
  )
  expect(seen).toEqual([1, 2, 3])
  expect(result.content).toEqual([{ type: 'text', text: 'slept 3 steps' }])
})

it('notices a caller that goes away', async () => {
  const abort = new AbortController()
  const call = client.callTool(
    { name: 'slow', arguments: { steps: 1, stepMs: 0, hold: true } },
    { signal: abort.signal, onprogress: () => abort.abort() },
  )
  await expect(call).rejects.toThrow()
  await expect.poll(() => server.cancelled).toEqual(['slow'])
})

it('answers an error result and a big one', async () => {
  expect(await client.callTool({ name: 'fail', arguments: {} })).toMatchObject({ isError: true })
  const big = await client.callTool({ name: 'big', arguments: { characters: 100_000 } })
  expect(JSON.stringify(big.content).length).toBeGreaterThan(100_000)
})

it('can cut every connection in the middle of a stream', async () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    progressToken: 'p',
  }
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'slow',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'slow', arguments: { steps: 1, hold: true }, _meta: meta },
    }),
  })
  const reader = response.body?.getReader()
  expect((await reader?.read())?.done).toBe(false)
  server.killConnections()
  await expect(reader?.read()).rejects.toThrow('terminated')
})
