import { describe, expect, it } from 'vitest'
import { type Decision, decide, type Target, toolFilter } from '../../src/policy/index.ts'
import { actorIn, server } from './sample.ts'

const OWN = 'https://idp.example#alice'

type Kind = Decision['kind']
type Case = [
  why: string,
  groups: string[],
  target: string | Target,
  method: string,
  tool: string | undefined,
  expected: Kind,
  scopes?: string[],
]

const user = ['mcp-registry-user']
const admin = ['mcp-registry-admin']
const time = 'current_time_by_timezone'
const stock = 'get_stock_aggregates'
const hidden = (part: Partial<Target>): Target => server('fininfo', part)

const cases: Case[] = [
  // S-B's restricted and unrestricted scopes as they stand
  ['a restricted user calls', user, 'currenttime', 'tools/call', time, 'allow'],
  ['a restricted user lists', user, 'currenttime', 'tools/list', undefined, 'allow'],
  ['a restricted user lists resources', user, 'currenttime', 'resources/list', undefined, 'allow'],
  ['a name with _', user, 'auth_server', 'tools/call', 'validate_request', 'allow'],
  ['a server of others', user, 'fininfo', 'tools/call', stock, 'unknown_server'],
  ['unrestricted reaches it', admin, 'fininfo', 'tools/call', stock, 'allow'],
  ['unrestricted is not everything', admin, 'atlassian', 'tools/list', undefined, 'unknown_server'],
  [
    'a group by object id',
    ['16c7e67e-e8ae-498c-ba2e-0593c0159e43'],
    'currenttime',
    'tools/call',
    time,
    'allow',
  ],
  ['a method not listed', user, 'currenttime', 'resources/read', undefined, 'unknown_method'],
  ['a prompt not listed', user, 'currenttime', 'prompts/get', undefined, 'unknown_method'],
  // list all, call two
  ['lists all', ['listers'], 'fininfo', 'tools/list', undefined, 'allow'],
  ['calls the first', ['listers'], 'fininfo', 'tools/call', stock, 'allow'],
  ['calls the second', ['listers'], 'fininfo', 'tools/call', 'print_stock_data', 'allow'],
  ['not the third', ['listers'], 'fininfo', 'tools/call', 'delete_stock', 'unknown_tool'],
  ['lists without tools', ['auditors'], 'fininfo', 'tools/list', undefined, 'allow'],
  ['no tools, no call', ['auditors'], 'fininfo', 'tools/call', stock, 'unknown_tool'],
  [
    'method and tool in two entries',
    ['split-brain'],
    'fininfo',
    'tools/call',
    stock,
    'unknown_tool',
  ],
  ['a call without a tool', ['listers'], 'fininfo', 'tools/call', undefined, 'unknown_tool'],
  // handshake
  ['initialize is implied', ['listers'], 'fininfo', 'initialize', undefined, 'allow'],
  ['ping is implied', ['listers'], 'fininfo', 'ping', undefined, 'allow'],
  ['discover is implied', ['listers'], 'fininfo', 'server/discover', undefined, 'allow'],
  ['notices are implied', ['listers'], 'fininfo', 'notifications/cancelled', undefined, 'allow'],
  ['implied only with a grant', user, 'fininfo', 'initialize', undefined, 'unknown_server'],
  ['a handshake lists nothing', ['shakers'], 'fininfo', 'tools/list', undefined, 'unknown_method'],
  ['a handshake calls nothing', ['shakers'], 'fininfo', 'tools/call', stock, 'unknown_method'],
  // names compare exactly
  ['a case variant', user, 'currenttime', 'tools/call', 'Current_Time_By_Timezone', 'unknown_tool'],
  ['a homoglyph', user, 'currenttime', 'tools/call', 'сurrent_time_by_timezone', 'unknown_tool'],
  ['full width', user, 'currenttime', 'tools/call', 'current＿time_by_timezone', 'unknown_tool'],
  ['white space', user, 'currenttime', 'tools/call', `${time} `, 'unknown_tool'],
  ['a NUL', user, 'currenttime', 'tools/call', `${time}\u0000`, 'unknown_tool'],
  ['a prefix', user, 'currenttime', 'tools/call', `currenttime__${time}`, 'unknown_tool'],
  [
    'a double prefix',
    user,
    'currenttime',
    'tools/call',
    `currenttime__currenttime__${time}`,
    'unknown_tool',
  ],
  ['a tool of another server', admin, 'currenttime', 'tools/call', stock, 'unknown_tool'],
  ['the word all is no tool', user, 'currenttime', 'tools/call', 'all', 'unknown_tool'],
  ['a star is no tool', user, 'currenttime', 'tools/call', '*', 'unknown_tool'],
  ['a property of Object', user, 'currenttime', 'tools/call', 'constructor', 'unknown_tool'],
  ['a server in upper case', user, 'CurrentTime', 'tools/call', time, 'unknown_server'],
  ['a server named as Object', user, 'constructor', 'tools/list', undefined, 'unknown_server'],
  ['a method in another case', user, 'currenttime', 'Tools/Call', time, 'unknown_method'],
  // wildcards and roles
  ['all means everything', ['everything'], 'brand-new', 'tools/call', 'x', 'allow'],
  ['the role user', ['staff'], 'brand-new', 'tools/call', 'x', 'allow'],
  ['the role server_owner', ['owners'], 'brand-new', 'resources/read', undefined, 'allow'],
  ['the role admin', ['roots'], 'brand-new', 'tools/call', 'x', 'allow'],
  ['no groups', [], 'currenttime', 'tools/list', undefined, 'unknown_server'],
  ['an unmapped group', ['strangers'], 'currenttime', 'tools/list', undefined, 'unknown_server'],
  ['a group in another case', ['Roots'], 'currenttime', 'tools/list', undefined, 'unknown_server'],
  [
    'a group named as Object',
    ['constructor', '__proto__'],
    'x',
    'ping',
    undefined,
    'unknown_server',
  ],
  ['a group named like a role', ['admin'], 'x', 'ping', undefined, 'unknown_server'],
  // visibility
  ['private', ['staff'], hidden({ visibility: 'private' }), 'ping', undefined, 'unknown_server'],
  [
    'private, mine',
    ['staff'],
    hidden({ visibility: 'private', owner: OWN }),
    'ping',
    undefined,
    'allow',
  ],
  ['private, to admin', ['roots'], hidden({ visibility: 'private' }), 'ping', undefined, 'allow'],
  [
    'mine without a grant',
    [],
    hidden({ visibility: 'private', owner: OWN }),
    'ping',
    undefined,
    'unknown_server',
  ],
  [
    'group',
    ['staff'],
    hidden({ visibility: 'group', allowedGroups: ['ops'] }),
    'ping',
    undefined,
    'unknown_server',
  ],
  [
    'group, shared',
    ['staff'],
    hidden({ visibility: 'group', allowedGroups: ['staff'] }),
    'ping',
    undefined,
    'allow',
  ],
  [
    'group, mine',
    ['staff'],
    hidden({ visibility: 'group', owner: OWN }),
    'ping',
    undefined,
    'allow',
  ],
  ['group, to admin', ['roots'], hidden({ visibility: 'group' }), 'ping', undefined, 'allow'],
  [
    'group without a grant',
    ['ops'],
    hidden({ visibility: 'group', allowedGroups: ['ops'] }),
    'ping',
    undefined,
    'unknown_server',
  ],
  // OAuth scopes
  ['foreign scopes only', user, 'currenttime', 'tools/call', time, 'allow', ['openid', 'email']],
  ['read reads', user, 'currenttime', 'tools/list', undefined, 'allow', ['gatehouse:read']],
  ['read shakes hands', user, 'currenttime', 'initialize', undefined, 'allow', ['gatehouse:read']],
  [
    'read does not call',
    user,
    'currenttime',
    'tools/call',
    time,
    'insufficient_scope',
    ['gatehouse:read'],
  ],
  ['call calls', user, 'currenttime', 'tools/call', time, 'allow', ['gatehouse:call']],
  [
    'call does not list',
    user,
    'currenttime',
    'tools/list',
    undefined,
    'insufficient_scope',
    ['gatehouse:call'],
  ],
  [
    'an unheard-of method needs call',
    ['staff'],
    'x',
    'vendor/wipe',
    undefined,
    'insufficient_scope',
    ['gatehouse:read'],
  ],
  [
    'scopes never reveal a tool',
    user,
    'currenttime',
    'tools/call',
    'other',
    'unknown_tool',
    ['gatehouse:read'],
  ],
  [
    'scopes never reveal a server',
    user,
    'fininfo',
    'tools/call',
    stock,
    'unknown_server',
    ['gatehouse:read'],
  ],
]

describe('decide', () => {
  it.each(cases)(
    '%s: %j on %j sends %s %s: %s',
    (_why, groups, target, method, tool, kind, scopes) => {
      const on = typeof target === 'string' ? server(target) : target
      expect(decide(actorIn(groups, scopes), on, method, tool).kind).toBe(kind)
    },
  )

  it('names the OAuth scope that a step-up has to bring', () => {
    const actor = actorIn(user, ['gatehouse:read'])
    expect(decide(actor, server('currenttime'), 'tools/call', time)).toEqual({
      kind: 'insufficient_scope',
      scope: 'gatehouse:call',
    })
  })

  it('answers for a hidden server exactly as for one that nobody registered', () => {
    const actor = actorIn(user)
    const secret = decide(actor, server('fininfo', { visibility: 'private' }), 'tools/call', stock)
    expect(secret).toEqual(decide(actor, server('no-such-server'), 'tools/call', stock))
  })
})

describe('toolFilter', () => {
  const shown = (groups: string[], target: Target, tools: string[]): string[] => {
    const filter = toolFilter(actorIn(groups), target)
    return filter === 'all' ? tools : tools.filter(filter)
  }
  const tools = ['get_stock_aggregates', 'print_stock_data', 'delete_stock']

  it('shows exactly what may be called when nobody wrote a separate listing grant', () => {
    expect(shown(admin, server('fininfo'), tools)).toEqual(tools.slice(0, 2))
    const callable = tools.filter(
      (tool) => decide(actorIn(admin), server('fininfo'), 'tools/call', tool).kind === 'allow',
    )
    expect(shown(admin, server('fininfo'), tools)).toEqual(callable)
  })

  it('shows every tool to a grant that lists without naming tools', () => {
    expect(toolFilter(actorIn(['listers']), server('fininfo'))).toBe('all')
    expect(toolFilter(actorIn(['auditors']), server('fininfo'))).toBe('all')
  })

  it('shows the tools of listing entries alone', () => {
    expect(shown(['split-brain'], server('fininfo'), tools)).toEqual(['get_stock_aggregates'])
  })

  it('shows nothing without a listing grant, of other servers, and behind a wall', () => {
    expect(shown(['shakers'], server('fininfo'), tools)).toEqual([])
    expect(shown(user, server('fininfo'), tools)).toEqual([])
    expect(shown(['staff'], server('fininfo', { visibility: 'private' }), tools)).toEqual([])
  })

  it('shows everything to roles', () => {
    expect(toolFilter(actorIn(['staff']), server('x'))).toBe('all')
  })
})
