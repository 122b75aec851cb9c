import { type Principal, TenantId } from '../../src/core/index.ts'
import {
  type Actor,
  type PolicyDocument,
  parsePolicySeed,
  rightsOf,
  type Target,
} from '../../src/policy/index.ts'

const methods = [
  'initialize',
  'notifications/initialized',
  'ping',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
]

/** S-B's layout with its restricted and unrestricted scopes, and some corner cases of our own. */
export const seed = {
  'UI-Scopes': {
    'mcp-registry-admin': {
      list_service: ['all'],
      register_service: ['all'],
      health_check_service: ['all'],
      toggle_service: ['all'],
      modify_service: ['all'],
      list_agents: ['all'],
      publish_agent: ['all'],
    },
    'mcp-registry-user': {
      list_service: ['mcpgw', 'realserverfaketools'],
      health_check_service: ['mcpgw'],
    },
  },
  group_mappings: {
    'mcp-registry-admin': [
      'mcp-registry-admin',
      'mcp-servers-unrestricted/read',
      'mcp-servers-unrestricted/execute',
    ],
    'mcp-registry-user': ['mcp-registry-user', 'mcp-servers-restricted/read'],
    '16c7e67e-e8ae-498c-ba2e-0593c0159e43': ['mcp-servers-restricted/execute'],
    listers: ['list-all-call-two'],
    auditors: ['list-only'],
    'split-brain': ['split'],
    shakers: ['handshake-only'],
    everything: ['all-spelled-all'],
    staff: ['user'],
    owners: ['server_owner'],
    roots: ['admin'],
  },
  'mcp-servers-unrestricted/read': [
    { server: 'currenttime', methods, tools: ['current_time_by_timezone'] },
    { server: 'fininfo', methods, tools: ['get_stock_aggregates', 'print_stock_data'] },
  ],
  'mcp-servers-unrestricted/execute': [
    { server: 'currenttime', methods, tools: ['current_time_by_timezone'] },
    { server: 'fininfo', methods, tools: ['get_stock_aggregates', 'print_stock_data'] },
  ],
  'mcp-servers-restricted/read': [
    { server: 'currenttime', methods, tools: ['current_time_by_timezone'] },
    { server: 'auth_server', methods, tools: ['validate_request'] },
  ],
  'mcp-servers-restricted/execute': [
    { server: 'currenttime', methods, tools: ['current_time_by_timezone'] },
  ],
  'list-all-call-two': [
    { server: 'fininfo', methods: ['tools/list'] },
    {
      server: 'fininfo',
      methods: ['tools/call'],
      tools: ['get_stock_aggregates', 'print_stock_data'],
    },
  ],
  'list-only': [{ server: 'fininfo', methods: ['tools/list', 'tools/call'] }],
  // The method in one entry and the tool in another do not add up.
  split: [
    { server: 'fininfo', methods: ['tools/call'], tools: [] },
    { server: 'fininfo', methods: ['tools/list'], tools: ['get_stock_aggregates'] },
  ],
  'handshake-only': [{ server: 'fininfo', methods: ['initialize'] }],
  'all-spelled-all': [{ server: 'all', methods: ['all'], tools: ['all'] }],
}

export const document: PolicyDocument = parsePolicySeed(seed)

export function principalIn(groups: readonly string[], scopes: readonly string[] = []): Principal {
  return {
    issuer: 'https://idp.example',
    subject: 'alice',
    kind: 'user',
    tenant: TenantId.parse('acme'),
    groups,
    scopes,
    expiresAt: 0,
    key: 'https://idp.example#alice',
    claims: {},
  }
}

export function actorIn(groups: readonly string[], scopes: readonly string[] = []): Actor {
  const principal = principalIn(groups, scopes)
  return { principal, rights: rightsOf(principal, document, { bootstrap: false }) }
}

export function server(path: string, part: Partial<Target> = {}): Target {
  return { path, owner: 'someone#else', visibility: 'public', allowedGroups: [], ...part }
}
