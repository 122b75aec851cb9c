import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { actorOf, world } from './world.ts'

const TENANT = 'own-tools-offer'
const { tools, call } = world(TENANT)

const namesFor = async (group: string, scopes: string[] = []) =>
  tools.list(await actorOf(TENANT, group, scopes)).map(({ name }) => name)

describe('the own tools', () => {
  it.each<[string, string[]]>([
    [
      'admins',
      ['list_servers', 'register_server', 'toggle_server', 'proxy_request', 'health_check'],
    ],
    [
      'owners',
      ['list_servers', 'register_server', 'toggle_server', 'proxy_request', 'health_check'],
    ],
    ['readers', ['list_servers', 'proxy_request']],
    ['narrow', ['list_servers', 'toggle_server']],
    ['powers', []],
    ['listers', ['list_servers', 'register_server']],
    ['strangers', []],
  ])('of %s are those that role, grants and permissions give', async (group, names) => {
    expect(await namesFor(group)).toEqual(names)
  })

  it.each<[string, string[]]>([
    ['gatehouse:read', ['list_servers']],
    ['gatehouse:call', ['proxy_request']],
    ['gatehouse:manage', ['register_server', 'toggle_server', 'health_check']],
  ])('are fewer for a token limited to %s', async (scope, names) => {
    expect(await namesFor('admins', [scope])).toEqual(names)
  })

  it('describe themselves by JSON Schema and annotations', async () => {
    for (const tool of tools.list(await actorOf(TENANT, 'admins'))) {
      expect(tool.description.length).toBeGreaterThan(80)
      for (const schema of [tool.inputSchema, tool.outputSchema]) {
        expect(schema).toMatchObject({
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          type: 'object',
          additionalProperties: false,
        })
        // Reading it back proves that it is a schema.
        expect(z.fromJSONSchema(schema)).toBeDefined()
      }
      expect(Object.keys(tool.annotations).sort()).toEqual([
        'destructiveHint',
        'idempotentHint',
        'openWorldHint',
        'readOnlyHint',
      ])
    }
  })

  it.each([
    ['strangers', 'list_servers'],
    ['readers', 'register_server'],
    ['readers', 'toggle_server'],
    ['readers', 'health_check'],
    ['powers', 'register_server'],
    ['listers', 'list_servers'],
    ['admins', 'no_such_tool'],
    ['admins', 'constructor'],
  ])('are unknown to %s who calls %s, which is not offered', async (group, name) => {
    await expect(call(group, name)).rejects.toMatchObject({
      code: 'unknown_tool',
      message: `Unknown tool: ${name}`,
    })
  })

  it.each([
    ['list_servers', 'gatehouse:read', 'gatehouse:call'],
    ['toggle_server', 'gatehouse:call', 'gatehouse:manage'],
    ['proxy_request', 'gatehouse:read', 'gatehouse:call'],
  ])('ask for more scope when %s is called with %s alone', async (name, given, needed) => {
    await expect(call('admins', name, {}, [given])).rejects.toMatchObject({
      code: 'insufficient_scope',
      detail: { data: { scope: needed } },
    })
  })

  it('ask for the scope of the permission as well', async () => {
    await expect(
      call('admins', 'toggle_server', { server: 'clock' }, ['gatehouse:call']),
    ).rejects.toMatchObject({
      code: 'insufficient_scope',
      detail: { data: { scope: 'gatehouse:manage' } },
    })
  })
})
