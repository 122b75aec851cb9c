import { aiSdk } from './ai-sdk.ts'
import type { ForeignClient } from './foreign-client.ts'
import { inspector } from './inspector.ts'
import { mcpRemote } from './mcp-remote.ts'
import { openaiAgents } from './openai-agents.ts'
import { sdkV1 } from './sdk-v1.ts'
import { sdkV2 } from './sdk-v2.ts'

/** One row of docs/compatibility.md. */
export interface ClientRow {
  /** The npm package that is pinned, here or in test/interop. */
  readonly package: string
  readonly client: ForeignClient
}

/** Every client, by the name under which the matrix lists it. */
export const CLIENTS = {
  'SDK v1': { package: '@modelcontextprotocol/sdk', client: sdkV1 },
  'SDK v2 (auto)': { package: '@modelcontextprotocol/client', client: sdkV2('auto') },
  'SDK v2 (pinned)': {
    package: '@modelcontextprotocol/client',
    client: sdkV2({ pin: '2026-07-28' }),
  },
  'SDK v2 (legacy)': { package: '@modelcontextprotocol/client', client: sdkV2('legacy') },
  Inspector: { package: '@modelcontextprotocol/inspector', client: inspector('legacy') },
  'Inspector (auto)': { package: '@modelcontextprotocol/inspector', client: inspector('auto') },
  'AI SDK': { package: '@ai-sdk/mcp', client: aiSdk('auto') },
  'AI SDK (legacy)': { package: '@ai-sdk/mcp', client: aiSdk('legacy') },
  'OpenAI Agents': { package: '@openai/agents', client: openaiAgents },
  'mcp-remote': { package: 'mcp-remote', client: mcpRemote },
} as const satisfies Record<string, ClientRow>

export type ClientName = keyof typeof CLIENTS
