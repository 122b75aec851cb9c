import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../src/core/index.ts'
import {
  type Actor,
  canPermission,
  notFoundServer,
  type Permission,
  requirePermission,
  type Target,
} from '../../src/policy/index.ts'
import { actorIn, server } from './sample.ts'

const mine = { owner: 'https://idp.example#alice' }

function outcome(actor: Actor, permission: Permission, target?: Target): string {
  try {
    requirePermission(actor, permission, target)
  } catch (thrown) {
    expect(canPermission(actor, permission, target)).toBe(false)
    return thrown instanceof GatewayError ? thrown.code : 'not a GatewayError'
  }
  expect(canPermission(actor, permission, target)).toBe(true)
  return 'allow'
}

describe('requirePermission', () => {
  const cases: [string, string[], Permission, Target | undefined, string, string[]?][] = [
    ['all reaches any server', ['mcp-registry-admin'], 'modify_service', server('x'), 'allow'],
    [
      'a path reaches itself',
      ['mcp-registry-user'],
      'health_check_service',
      server('mcpgw'),
      'allow',
    ],
    [
      'not another that it lists',
      ['mcp-registry-user'],
      'health_check_service',
      server('realserverfaketools'),
      'forbidden',
    ],
    [
      'one it may not list',
      ['mcp-registry-user'],
      'health_check_service',
      server('x'),
      'not_found',
    ],
    ['listing what it may not', ['mcp-registry-user'], 'list_service', server('x'), 'not_found'],
    ['an owner modifies its own', ['owners'], 'modify_service', server('x', mine), 'allow'],
    ['an owner, of another', ['owners'], 'modify_service', server('x'), 'forbidden'],
    ['own is no path', ['owners'], 'modify_service', server('own'), 'forbidden'],
    [
      'an owner, of what is hidden',
      ['owners'],
      'modify_service',
      server('x', { visibility: 'private' }),
      'not_found',
    ],
    ['a user only lists', ['staff'], 'modify_service', server('x', mine), 'forbidden'],
    ['nobody, of anything', [], 'list_service', server('x'), 'not_found'],
    [
      'admin sees the private',
      ['roots'],
      'delete_service',
      server('x', { visibility: 'private' }),
      'allow',
    ],
    ['S-B admin is not our admin', ['mcp-registry-admin'], 'manage_policy', undefined, 'forbidden'],
    ['admin manages policy', ['roots'], 'manage_policy', undefined, 'allow'],
    ['registering at all', ['owners'], 'register_service', undefined, 'allow'],
    ['not for a user', ['staff'], 'register_service', undefined, 'forbidden'],
    [
      'registering never reads as not found',
      ['mcp-registry-user'],
      'register_service',
      server('x', mine),
      'forbidden',
    ],
    ['listing at all', ['staff'], 'list_service', undefined, 'allow'],
    ['reading needs read', ['roots'], 'list_service', undefined, 'allow', ['gatehouse:read']],
    [
      'managing needs manage',
      ['roots'],
      'modify_service',
      server('x'),
      'insufficient_scope',
      ['gatehouse:read'],
    ],
    ['manage manages', ['roots'], 'modify_service', server('x'), 'allow', ['gatehouse:manage']],
    [
      'manage alone does not list',
      ['roots'],
      'list_service',
      undefined,
      'insufficient_scope',
      ['gatehouse:manage'],
    ],
    [
      'scopes reveal nothing',
      ['staff'],
      'modify_service',
      server('x', { visibility: 'private' }),
      'not_found',
      ['gatehouse:read'],
    ],
    ['agents are kept for later', ['mcp-registry-admin'], 'publish_agent', undefined, 'allow'],
  ]

  it.each(cases)('%s: %j %s', (_why, groups, permission, target, expected, scopes) => {
    expect(outcome(actorIn(groups, scopes), permission, target)).toBe(expected)
  })

  it('answers for a hidden server with the message for a missing one', () => {
    const hidden = server('x', { visibility: 'private' })
    expect(() => requirePermission(actorIn(['staff']), 'modify_service', hidden)).toThrow(
      notFoundServer('x').message,
    )
  })

  it('names the permission, and the OAuth scope', () => {
    expect(() => requirePermission(actorIn(['staff']), 'register_service')).toThrow(
      'This needs the permission register_service.',
    )
    try {
      requirePermission(actorIn(['roots'], ['gatehouse:read']), 'register_service')
      expect.unreachable()
    } catch (thrown) {
      expect(thrown).toMatchObject({
        code: 'insufficient_scope',
        detail: { data: { scope: 'gatehouse:manage' } },
      })
    }
  })
})
