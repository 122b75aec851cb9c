import { type Actor, decide } from '../../policy/index.ts'
import type { IndexedServer, UpstreamFacts, VirtualItem } from '../../registry/index.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS, MODERN_VERSION } from '../messages.ts'
import type { SharedEndpoint } from './endpoint.ts'

/** Who stands behind a shared endpoint for one caller. */
export interface Behind {
  readonly endpoint: SharedEndpoint
  readonly actor: Actor
  /** Servers that the caller may use, in its era; and those never reached, which may be anything. */
  readonly servers: readonly IndexedServer[]
  readonly hasOwnTools: boolean
}

/** Of all servers together; each is cut where it is indexed. */
const MAX_ALL_INSTRUCTIONS_CHARS = 16_000
/** A client may ask again this soon; what stands behind follows the policy. */
const TTL_MS = 30_000

/** The answer to `server/discover` (MCP 2026-07-28, Discovery). */
export function discoverResult(behind: Behind): object {
  return {
    resultType: 'complete',
    supportedVersions: [MODERN_VERSION, ...LEGACY_VERSIONS],
    capabilities: capabilitiesOf(behind, 'modern'),
    ...instructionsOf(behind),
    ttlMs: TTL_MS,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': GATEWAY_INFO },
  }
}

/** The answer to a legacy `initialize`. */
export function initializeResult(behind: Behind, version: string): object {
  return {
    protocolVersion: version,
    capabilities: capabilitiesOf(behind, 'legacy'),
    serverInfo: GATEWAY_INFO,
    ...instructionsOf(behind),
  }
}

/** What of a server stands behind a capability: the methods, one of which its caller needs. */
const METHODS = {
  tools: ['tools/list', 'tools/call'],
  prompts: ['prompts/list', 'prompts/get'],
  resources: ['resources/list', 'resources/templates/list', 'resources/read'],
  completions: ['completion/complete'],
  logging: ['logging/setLevel'],
} as const satisfies Record<string, readonly string[]>

type Capability = keyof typeof METHODS

/** What must have been chosen for a virtual server to have a capability. */
const CHOSEN: Readonly<Partial<Record<Capability, readonly VirtualItem['kind'][]>>> = {
  tools: ['tool'],
  prompts: ['prompt'],
  resources: ['resource', 'template'],
  completions: ['prompt', 'template'],
}

/**
 * What at least one server offers, its caller may use and the gateway carries. Change notices are
 * not among it: they are relayed by the endpoint of a single server alone.
 */
function capabilitiesOf(behind: Behind, era: 'modern' | 'legacy'): object {
  const { servers, hasOwnTools } = behind
  const offers = (name: Capability): boolean =>
    servers.some(
      (server) =>
        (server.catalogHash === null || has(server.upstream, name)) && mayUse(behind, server, name),
    )
  const declares = (name: Capability): boolean =>
    servers.some((server) => has(server.upstream, name) && mayUse(behind, server, name))
  const canSubscribe =
    era === 'legacy' &&
    servers.some(
      (server) =>
        hasSubscribe(server.upstream) &&
        isChosen(behind, server, 'resources') &&
        isAllowed(behind, server, 'resources/subscribe'),
    )
  return {
    ...(hasOwnTools || offers('tools') ? { tools: {} } : {}),
    ...(offers('prompts') ? { prompts: {} } : {}),
    ...(offers('resources') ? { resources: canSubscribe ? { subscribe: true } : {} } : {}),
    ...(declares('completions') ? { completions: {} } : {}),
    ...(declares('logging') ? { logging: {} } : {}),
  }
}

function mayUse(behind: Behind, server: IndexedServer, name: Capability): boolean {
  return (
    isChosen(behind, server, name) &&
    METHODS[name].some((method) => isAllowed(behind, server, method))
  )
}

/** What is held back from a virtual server is not there. */
function isChosen({ endpoint }: Behind, { path }: IndexedServer, name: Capability): boolean {
  const kinds = CHOSEN[name]
  return (
    endpoint.kind !== 'virtual' ||
    kinds === undefined ||
    endpoint.virtual.items.some(
      ({ kind, server, state }) => server === path && state === 'ok' && kinds.includes(kind),
    )
  )
}

/**
 * At a virtual server the right to it is needed besides. A missing OAuth scope is told with the
 * request, so that the client can ask for it.
 */
function isAllowed({ actor, endpoint }: Behind, server: IndexedServer, method: string): boolean {
  const targets = endpoint.kind === 'virtual' ? [server, endpoint.virtual] : [server]
  return targets.every((target) => {
    const { kind } = decide(actor, target, method)
    return kind === 'allow' || kind === 'insufficient_scope'
  })
}

function has({ capabilities }: UpstreamFacts, name: string): boolean {
  return capabilities?.[name] !== undefined
}

function hasSubscribe({ capabilities }: UpstreamFacts): boolean {
  const resources = capabilities?.['resources']
  return typeof resources === 'object' && resources !== null && 'subscribe' in resources
    ? resources.subscribe === true
    : false
}

/** Each server's own words under its name, so that a model can tell whose they are. */
function instructionsOf({ endpoint, servers }: Behind): { readonly instructions?: string } {
  const own = endpoint.kind === 'virtual' ? endpoint.virtual.instructions : ''
  const parts = servers.flatMap(({ path, upstream: { instructions } }) =>
    instructions === undefined || instructions.trim() === ''
      ? []
      : [`## ${path}\n${instructions.trim()}`],
  )
  const text = [...(own === '' ? [] : [own]), ...parts].join('\n\n')
  return text === '' ? {} : { instructions: text.slice(0, MAX_ALL_INSTRUCTIONS_CHARS) }
}
