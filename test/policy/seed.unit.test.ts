import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/index.ts'
import { parsePolicySeed, type SeedProblem } from '../../src/policy/index.ts'
import { seed } from './sample.ts'

function problemsOf(input: unknown): readonly SeedProblem[] {
  try {
    parsePolicySeed(input)
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    expect(thrown.code).toBe('invalid_params')
    return thrown.detail.data?.['problems'] as SeedProblem[]
  }
  return []
}

const paths = (input: unknown) => problemsOf(input).map((problem) => problem.path)
const entry = { server: 'x', methods: ['tools/list'] }

describe('parsePolicySeed', () => {
  it("takes S-B's layout, merges permissions and grants of one name, and adds the roles", () => {
    const document = parsePolicySeed({
      'UI-Scopes': { both: { list_service: ['all'] } },
      group_mappings: { g: ['both', 'admin'] },
      both: [entry],
    })
    expect(document.scopes['both']).toEqual({
      permissions: { list_service: ['all'] },
      grants: [entry],
    })
    expect(Object.keys(document.scopes).sort()).toEqual(['admin', 'both', 'server_owner', 'user'])
    expect(document.groupMappings).toEqual({ g: ['both', 'admin'] })
    expect(problemsOf(seed)).toEqual([])
  })

  it('takes an empty policy', () => {
    expect(Object.keys(parsePolicySeed({}).scopes)).toEqual(['admin', 'server_owner', 'user'])
  })

  it.each<[string, unknown, string[]]>([
    ['no object', [], ['']],
    ['null', null, ['']],
    ['an unknown member of an entry', { s: [{ ...entry, tolls: ['x'] }] }, ['s.0.tolls']],
    ['an entry without methods', { s: [{ server: 'x' }] }, ['s.0.methods']],
    ['an entry with no method', { s: [{ ...entry, methods: [] }] }, ['s.0.methods']],
    ['tools that are no list', { s: [{ ...entry, tools: 'all' }] }, ['s.0.tools']],
    ['a tool that is no string', { s: [{ ...entry, tools: [1] }] }, ['s.0.tools.0']],
    ['a scope that is no list', { s: entry }, ['s']],
    ['an over-long name', { s: [{ ...entry, server: 'x'.repeat(129) }] }, ['s.0.server']],
    ['an empty name', { s: [{ ...entry, server: '' }] }, ['s.0.server']],
    ['a control character', { s: [{ ...entry, server: 'a\nb' }] }, ['s.0.server']],
    ['an over-long scope name', { ['x'.repeat(129)]: [entry] }, ['x'.repeat(129)]],
    ['an unknown permission', { 'UI-Scopes': { s: { fly: ['all'] } } }, ['UI-Scopes.s.fly']],
    [
      'a permission that is no list',
      { 'UI-Scopes': { s: { list_service: 'all' } } },
      ['UI-Scopes.s.list_service'],
    ],
    ['a mapping to nothing', { group_mappings: { g: ['gone'] } }, ['group_mappings.g.0']],
    ['a mapping to Object', { group_mappings: { g: ['constructor'] } }, ['group_mappings.g.0']],
    ['a mapping that is no list', { group_mappings: { g: 'admin' } }, ['group_mappings.g']],
    [
      'an over-long group',
      { group_mappings: { ['g'.repeat(129)]: ['admin'] } },
      [`group_mappings.${'g'.repeat(129)}`],
    ],
    ['a redefined role', { admin: [entry] }, ['admin']],
    ['redefined permissions of a role', { 'UI-Scopes': { user: {} } }, ['UI-Scopes.user']],
    [
      'a prototype',
      JSON.parse('{"__proto__": [{"server": "x", "methods": ["*"]}]}'),
      ['__proto__'],
    ],
  ])('refuses %s and says where', (_why, input, expected) => {
    expect(paths(input)).toEqual(expected)
  })

  it('lists every problem at once, those across entries too', () => {
    const found = problemsOf({
      'UI-Scopes': { s: { fly: ['all'], list_service: 'all' } },
      group_mappings: { g: ['gone', 's'] },
      t: [{ server: 'x', methods: ['tools/list'], extra: 1 }],
      user: [],
    })
    expect(found.map((problem) => problem.path).sort()).toEqual([
      'UI-Scopes.s.fly',
      'UI-Scopes.s.list_service',
      'group_mappings.g.0',
      't.0.extra',
      'user',
    ])
    expect(found.every((problem) => problem.message.length > 0)).toBe(true)
    expect(found).toContainEqual({
      path: 'group_mappings.g.0',
      message: 'names the undefined scope "gone"',
    })
  })
})
