import { type Actor, decide, type Target } from '../../policy/index.ts'
import type { IndexedServer, UpstreamFacts, VirtualItem } from '../../registry/index.ts'
import { crosses } from '../bridge/crossing.ts'
import { offersExtension, TASKS, UI } from '../extensions.ts'
import type { ListName } from '../list-changes.ts'
import { GATEWAY_INFO, LEGACY_VERSIONS, MODERN_VERSION } from '../messages.ts'
import { takesSubscriptions, tellsOf } from '../notices/declared.ts'
import { type ListeningBy, mayHearList, mayHearResources } from '../notices/reach.ts'
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
 * What at least one server offers, its caller may use and the gateway carries; changes as far as one
 * of them tells of them and its caller may be told.
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
  const by = era === 'legacy' ? 'stream' : 'listen'
  const changes = (list: ListName) => (tells(behind, list, by) ? { listChanged: true } : {})
  const subscribe = takes(behind, by) ? { subscribe: true } : {}
  return {
    ...(hasOwnTools || offers('tools') ? { tools: changes('tools') } : {}),
    ...(offers('prompts') ? { prompts: changes('prompts') } : {}),
    ...(offers('resources') ? { resources: { ...subscribe, ...changes('resources') } } : {}),
    ...(declares('completions') ? { completions: {} } : {}),
    ...(declares('logging') ? { logging: {} } : {}),
    ...extensionsOf(behind, era),
  }
}

/**
 * Extensions that a shared endpoint knows how to carry: tasks of the modern era under ids of its
 * own, and Apps, whose `ui://` stays. Any other may name things that the gateway cannot translate.
 */
function extensionsOf(behind: Behind, era: 'modern' | 'legacy'): object {
  const offers = (name: string, mayBeUsed: (server: IndexedServer) => boolean): object =>
    behind.servers.some(
      (server) =>
        !crosses(server.upstream, era) &&
        offersExtension(server.upstream, name) &&
        mayBeUsed(server),
    )
      ? { [name]: {} }
      : {}
  const extensions = {
    ...(era === 'modern'
      ? offers(
          TASKS,
          (server) => isChosen(behind, server, 'tools') && isAllowed(behind, server, 'tasks/get'),
        )
      : {}),
    ...offers(UI, (server) => mayUse(behind, server, 'resources')),
  }
  return Object.keys(extensions).length > 0 ? { extensions } : {}
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
function isAllowed(behind: Behind, server: IndexedServer, method: string): boolean {
  return targetsOf(behind, server).every((target) => {
    const { kind } = decide(behind.actor, target, method)
    return kind === 'allow' || kind === 'insufficient_scope'
  })
}

function targetsOf({ endpoint }: Behind, server: IndexedServer): readonly Target[] {
  return endpoint.kind === 'virtual' ? [server, endpoint.virtual] : [server]
}

function has({ capabilities }: UpstreamFacts, name: string): boolean {
  return capabilities?.[name] !== undefined
}

/** Whether its caller may hear of changes of a list, and somebody tells of them. */
function tells(behind: Behind, list: ListName, by: ListeningBy): boolean {
  const { actor, servers } = behind
  return servers.some(
    (server) =>
      tellsOf(server.upstream, list) &&
      isChosen(behind, server, list) &&
      targetsOf(behind, server).every((target) => mayHearList(actor, target, list, by)),
  )
}

/** The same for resources that can be subscribed to. */
function takes(behind: Behind, by: ListeningBy): boolean {
  const { actor, servers } = behind
  return servers.some(
    (server) =>
      takesSubscriptions(server.upstream) &&
      isChosen(behind, server, 'resources') &&
      targetsOf(behind, server).every((target) => mayHearResources(actor, target, by)),
  )
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
