/**
 * What the gateway must know of each MCP method; anything else is relayed as it is.
 * Sources: MCP 2026-07-28, Streamable HTTP, Standard headers; SEP-2663 for tasks.
 */
export interface MethodFacts {
  /** The member of `params` that the `Mcp-Name` header mirrors. */
  readonly nameField?: 'name' | 'uri' | 'taskId'
  /** Asking twice does no harm, whatever the server. */
  readonly isSafe: boolean
  /** Its result carries `ttlMs` and `cacheScope` (MCP 2026-07-28, Caching). */
  readonly isCacheable?: true
}

const METHODS: Readonly<Record<string, MethodFacts>> = {
  initialize: { isSafe: false },
  ping: { isSafe: true },
  'server/discover': { isSafe: true, isCacheable: true },
  'tools/list': { isSafe: true, isCacheable: true },
  'tools/call': { nameField: 'name', isSafe: false },
  'prompts/list': { isSafe: true, isCacheable: true },
  'prompts/get': { nameField: 'name', isSafe: true },
  'resources/list': { isSafe: true, isCacheable: true },
  'resources/templates/list': { isSafe: true, isCacheable: true },
  'resources/read': { nameField: 'uri', isSafe: true, isCacheable: true },
  'completion/complete': { isSafe: true },
  'tasks/get': { nameField: 'taskId', isSafe: true },
  'tasks/update': { nameField: 'taskId', isSafe: false },
  'tasks/cancel': { nameField: 'taskId', isSafe: false },
}

const UNKNOWN_METHOD: MethodFacts = { isSafe: false }

/** Facts of a method; an unknown one has no name header and is never repeated. */
export function methodFacts(method: string): MethodFacts {
  return Object.hasOwn(METHODS, method) ? (METHODS[method] ?? UNKNOWN_METHOD) : UNKNOWN_METHOD
}

/** The modern revision this gateway speaks. */
export const MODERN_VERSION = '2026-07-28'

/**
 * Legacy revisions, newest first. The transport of the last one is HTTP+SSE; what its messages say
 * is carried by Streamable HTTP as well.
 */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const

/** The revision to speak with a client that asked for this one (MCP 2025-11-25, Lifecycle). */
export function negotiatedVersion(requested: unknown): string {
  return LEGACY_VERSIONS.find((version) => version === requested) ?? LEGACY_VERSIONS[0]
}

/** What the gateway calls itself towards upstreams. */
export const GATEWAY_INFO = { name: 'gatehouse', version: '0.1.0' } as const
