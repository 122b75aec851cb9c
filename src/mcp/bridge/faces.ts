import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import type { UpstreamFacts } from '../../registry/index.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS, MODERN_VERSION } from '../messages.ts'

/**
 * What a server is, as it said itself in the other era when it was last asked: the gateway answers
 * the greeting of an era that the server does not speak.
 */

/** A client may ask again this soon. */
const TTL_MS = 30_000

/** The answer to `server/discover` of a legacy server (MCP 2026-07-28, Discovery). */
export function discoverResult(facts: UpstreamFacts): object {
  return {
    resultType: 'complete',
    supportedVersions: [MODERN_VERSION, ...LEGACY_VERSIONS],
    capabilities: carried(facts),
    ...instructionsOf(facts),
    ttlMs: TTL_MS,
    cacheScope: 'private',
    _meta: { [SERVER_INFO_META_KEY]: serverInfoOf(facts) },
  }
}

/** The answer to `initialize` of a modern server (MCP 2025-11-25, Lifecycle). */
export function initializeResult(facts: UpstreamFacts, version: string): object {
  return {
    protocolVersion: version,
    capabilities: carried(facts),
    serverInfo: serverInfoOf(facts),
    ...instructionsOf(facts),
  }
}

/**
 * Who a server says it is. A modern one need not say it, and no client of the legacy era goes on
 * without a name and a version (MCP 2025-11-25, Lifecycle): then it is the gateway.
 */
export function serverInfoOf({ serverInfo }: Pick<UpstreamFacts, 'serverInfo'>): object {
  const { name, version } = serverInfo ?? {}
  const isWhole = typeof name === 'string' && typeof version === 'string'
  return serverInfo && isWhole ? serverInfo : GATEWAY_INFO
}

/** Tasks and extensions stay within their era (PROTOCOL.md 1.9). */
function carried({ capabilities = {} }: UpstreamFacts): object {
  const { tasks: _tasks, extensions: _extensions, ...rest } = capabilities
  return rest
}

function instructionsOf({ instructions }: UpstreamFacts): { readonly instructions?: string } {
  return instructions === undefined ? {} : { instructions }
}
