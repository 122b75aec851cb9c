import { aiSdk } from './ai-sdk.ts'
import type { ForeignClient } from './foreign-client.ts'
import { inspector } from './inspector.ts'
import { mcpRemote } from './mcp-remote.ts'
import { openaiAgents } from './openai-agents.ts'
import { sdkV1, sdkV1Sse } from './sdk-v1.ts'
import { sdkV2, sdkV2Sse } from './sdk-v2.ts'

export type Era = 'legacy' | 'modern'

/** One row of docs/compatibility.md. */
export interface ClientRow {
  /** The npm package that is pinned, here or in test/interop. */
  readonly package: string
  readonly client: ForeignClient
  /** The one that it ends up in, whatever stands behind the gateway. */
  readonly era: Era
  /** The last part of the path that it connects to. */
  readonly door: 'mcp' | 'sse'
}

const [SDK_V1, SDK_V2] = ['@modelcontextprotocol/sdk', '@modelcontextprotocol/client']
const INSPECTOR = '@modelcontextprotocol/inspector'
const [LEGACY, MODERN] = [
  { era: 'legacy', door: 'mcp' },
  { era: 'modern', door: 'mcp' },
] as const
const OVER_SSE = { era: 'legacy', door: 'sse' } as const

/** Every client, by the name under which the matrix lists it. */
export const CLIENTS = {
  'SDK v1': { package: SDK_V1, client: sdkV1, ...LEGACY },
  'SDK v1 (HTTP+SSE)': { package: SDK_V1, client: sdkV1Sse, ...OVER_SSE },
  'SDK v2 (auto)': { package: SDK_V2, client: sdkV2('auto'), ...MODERN },
  'SDK v2 (pinned)': { package: SDK_V2, client: sdkV2({ pin: '2026-07-28' }), ...MODERN },
  'SDK v2 (legacy)': { package: SDK_V2, client: sdkV2('legacy'), ...LEGACY },
  'SDK v2 (HTTP+SSE)': { package: SDK_V2, client: sdkV2Sse, ...OVER_SSE },
  Inspector: { package: INSPECTOR, client: inspector('legacy'), ...LEGACY },
  'Inspector (auto)': { package: INSPECTOR, client: inspector('auto'), ...MODERN },
  'Inspector (HTTP+SSE)': { package: INSPECTOR, client: inspector('sse'), ...OVER_SSE },
  'AI SDK': { package: '@ai-sdk/mcp', client: aiSdk('auto'), ...MODERN },
  'AI SDK (legacy)': { package: '@ai-sdk/mcp', client: aiSdk('legacy'), ...LEGACY },
  'AI SDK (HTTP+SSE)': { package: '@ai-sdk/mcp', client: aiSdk('auto', 'sse'), ...OVER_SSE },
  'OpenAI Agents': {
    package: '@openai/agents',
    client: openaiAgents('MCPServerStreamableHttp'),
    ...MODERN,
  },
  'OpenAI Agents (HTTP+SSE)': {
    package: '@openai/agents',
    client: openaiAgents('MCPServerSSE'),
    ...OVER_SSE,
  },
  'mcp-remote': { package: 'mcp-remote', client: mcpRemote('http-first'), ...LEGACY },
  'mcp-remote (HTTP+SSE)': { package: 'mcp-remote', client: mcpRemote('sse-only'), ...OVER_SSE },
} as const satisfies Record<string, ClientRow>

export type ClientName = keyof typeof CLIENTS

/** The row, without what is known of its literal. */
export function clientRow(name: ClientName): ClientRow {
  return CLIENTS[name]
}
