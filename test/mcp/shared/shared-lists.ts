import {
  type CallContext,
  type EndpointId,
  type Principal,
  ServerId,
  ServerPath,
  systemRandom,
  TenantId,
} from '../../../src/core/index.ts'
import { EVERYTHING } from '../../../src/mcp/shared/endpoint.ts'
import { LISTS, type ListKind } from '../../../src/mcp/shared/kinds.ts'
import type { LineupRequest } from '../../../src/mcp/shared/lineup.ts'
import { type Actor, parsePolicySeed, rightsOf } from '../../../src/policy/index.ts'
import type { IndexedServer } from '../../../src/registry/index.ts'

export const TENANT = TenantId.parse('t-shared')
const METHOD = 'tools/list'

const POLICY = parsePolicySeed({ group_mappings: { admins: ['admin'] } })

/** The list of tools. */
export function toolList(): ListKind {
  const list = LISTS[METHOD]
  if (!list) throw new Error('tools can be listed')
  return list
}

/** A server of both eras that offers so many tools. */
export function indexed(at: number, tools: number, discoveredAt = 0): IndexedServer {
  return {
    id: ServerId.parse(`00000000-0000-4000-8000-${String(at).padStart(12, '0')}`),
    tenant: TENANT,
    path: ServerPath.parse(`s${String(at).padStart(5, '0')}`),
    name: 'n',
    owner: 'o',
    visibility: 'public',
    allowedGroups: [],
    health: 'healthy',
    upstream: {
      eras: 'dual',
      protocolVersions: [],
      sessionful: false,
      capabilities: { tools: {} },
    },
    discovered: { tools, resources: 0, resourceTemplates: 0, prompts: 0 },
    catalogHash: 'h',
    discoveredAt,
    endpointIds: [] as EndpointId[],
  }
}

/** An administrator of this name. */
export function adminOf(name: string): Actor {
  const principal: Principal = {
    issuer: 'https://idp.example',
    subject: name,
    kind: 'user',
    tenant: TENANT,
    groups: ['admins'],
    scopes: [],
    expiresAt: Number.MAX_SAFE_INTEGER,
    key: name,
    claims: {},
  }
  return { principal, rights: rightsOf(principal, POLICY, { bootstrap: false }) }
}

/** Asks `/mcp` for its tools. */
export function toolsRequest(name: string): LineupRequest {
  const era = 'modern' as const
  return { actor: adminOf(name), endpoint: EVERYTHING, era, method: METHOD, list: toolList() }
}

/** A request's context; what goes on behind it is kept. */
export function contextAt(
  now: () => number,
): CallContext & { readonly behind: Promise<unknown>[] } {
  const behind: Promise<unknown>[] = []
  return {
    behind,
    requestId: 'request',
    clock: { now },
    random: systemRandom,
    caller: new AbortController(),
    facts: {},
    waitUntil: (work) => behind.push(work),
    holdEvent: () => () => undefined,
  }
}
