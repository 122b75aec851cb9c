import { beforeAll, beforeEach, expect } from 'vitest'
import { TenantId } from '../../../src/core/index.ts'
import type { Answer } from '../../../src/mcp/ask/ask.ts'
import { createOwnTools } from '../../../src/mcp/own-tools/index.ts'
import { type Actor, parsePolicySeed, rightsOf } from '../../../src/policy/index.ts'
import { createGateway, DISCOVERY, principalOf } from '../../registry/gateway.ts'

type Result = {
  content: { type: string; text: string }[]
  structuredContent?: Record<string, unknown>
  isError: boolean
}

const SEED = {
  'UI-Scopes': {
    narrow: { list_service: ['all'], toggle_service: ['clock'] },
    powers: { list_service: ['all'], register_service: ['all'] },
  },
  group_mappings: {
    admins: ['admin'],
    owners: ['server_owner'],
    readers: ['user'],
    narrow: ['narrow'],
    powers: ['powers'],
    listers: ['lister', 'powers'],
  },
  narrow: [
    { server: 'mcpgw', methods: ['tools/list'], tools: ['list_servers', 'toggle_server'] },
    { server: 'mcpgw', methods: ['tools/call'], tools: ['list_servers', 'toggle_server'] },
  ],
  powers: [{ server: 'shop', methods: ['*'], tools: ['*'] }],
  lister: [{ server: 'mcpgw', methods: ['tools/list'] }],
}

const EMPTY: Answer = { kind: 'result', result: { content: [], isError: false }, chars: 1 }

/** A member of `group`, as the policy of these tests has it. */
export async function actorOf(
  tenant: string,
  group: string,
  scopes: string[] = [],
): Promise<Actor> {
  const principal = await principalOf(TenantId.parse(tenant), group, scopes)
  return { principal, rights: rightsOf(principal, parsePolicySeed(SEED), { bootstrap: false }) }
}

/** The own tools of a tenant that has the server `clock`; it answers well again before each test. */
export function world(tenant: string) {
  const gateway = createGateway(tenant)
  const { ctx, registry } = gateway
  const proxied: { path: string; question: unknown }[] = []
  const sought: unknown[] = []
  /** What the server behind `proxy_request` answers. */
  const behind = { answer: (): Answer => EMPTY }
  const tools = createOwnTools({
    verbs: registry.verbs,
    proxyRequest: async (_ctx, _actor, path, question) => {
      proxied.push({ path, question })
      return behind.answer()
    },
    findServer: async (_ctx, _actor, request) => {
      sought.push(request)
      return {
        path: 'clock',
        note: () => ({ server: 'clock', reason: 'only_one', candidates: [] }),
      }
    },
  })

  async function call(group: string, name: string, args: unknown = {}, scopes: string[] = []) {
    const actor = await actorOf(tenant, group, scopes)
    return (await tools.call(ctx, actor, name, args)) as Result
  }

  beforeAll(async () => {
    expect((await gateway.register()).status).toBe(201)
  })
  beforeEach(() => {
    proxied.length = 0
    behind.answer = () => EMPTY
    gateway.state.discover = () => DISCOVERY
  })
  return { gateway, tools, proxied, sought, behind, call }
}
