import { describe, expect, it } from 'vitest'
import {
  BUILT_IN_SCOPES,
  decide,
  isBootstrapAdmin,
  type PolicyDocument,
  parsePolicySeed,
  rightsOf,
} from '../../src/policy/index.ts'
import { actorIn, document, principalIn, server } from './sample.ts'

const without = { bootstrap: false }

describe('rightsOf', () => {
  it('gives principals of the same scopes the same digest, in whatever order their groups come', () => {
    const one = rightsOf(principalIn(['staff', 'listers']), document, without)
    const two = rightsOf(principalIn(['listers', 'unmapped', 'staff']), document, without)
    expect(two.digest).toBe(one.digest)
    expect(one.scopes).toEqual(['list-all-call-two', 'user'])
  })

  it('gives other scopes, and other content under the same name, another digest', () => {
    const listers = rightsOf(principalIn(['listers']), document, without)
    const edited = parsePolicySeed({
      group_mappings: { listers: ['list-all-call-two'] },
      'list-all-call-two': [{ server: 'fininfo', methods: ['tools/list'] }],
    })
    expect(rightsOf(principalIn(['auditors']), document, without).digest).not.toBe(listers.digest)
    expect(rightsOf(principalIn(['listers']), edited, without).digest).not.toBe(listers.digest)
  })

  it('gives nothing for scopes that the document does not define', () => {
    const dangling: PolicyDocument = { scopes: {}, groupMappings: { staff: ['gone', 'toString'] } }
    const principal = principalIn(['staff'])
    const rights = rightsOf(principal, dangling, without)
    expect(rights.scopes).toEqual([])
    expect(decide({ principal, rights }, server('x'), 'ping').kind).toBe('unknown_server')
  })

  it('never lets a document shadow a role', () => {
    const shadowed: PolicyDocument = {
      scopes: { user: BUILT_IN_SCOPES.admin },
      groupMappings: { staff: ['user'] },
    }
    expect(rightsOf(principalIn(['staff']), shadowed, without).isAdmin).toBe(false)
  })

  it('throws, and gives no rights, when a scope cannot be read', () => {
    const broken: PolicyDocument = {
      scopes: {
        get broken(): never {
          throw new Error('the scope resolver is down')
        },
      },
      groupMappings: { staff: ['user', 'broken'] },
    }
    expect(() => rightsOf(principalIn(['staff']), broken, without)).toThrow('resolver is down')
  })

  it('makes the bootstrap administrator an admin', () => {
    const rights = rightsOf(principalIn([]), document, { bootstrap: true })
    expect(rights.isAdmin).toBe(true)
    expect(rights.digest).toBe(actorIn(['roots']).rights.digest)
  })
})

describe('isBootstrapAdmin', () => {
  const bySubject = { issuer: 'https://idp.example', subject: 'alice' }
  const nobody = parsePolicySeed({ group_mappings: { staff: ['user'] } })

  it('knows the subject of the issuer and nobody else', () => {
    expect(isBootstrapAdmin(principalIn([]), bySubject, nobody)).toBe(true)
    expect(isBootstrapAdmin(principalIn([]), { ...bySubject, subject: 'bob' }, nobody)).toBe(false)
    const elsewhere = { ...bySubject, issuer: 'https://other.example' }
    expect(isBootstrapAdmin(principalIn([]), elsewhere, nobody)).toBe(false)
    expect(isBootstrapAdmin(principalIn([]), undefined, nobody)).toBe(false)
  })

  it('knows a claim by its value or by a member of its list', () => {
    const config = { issuer: 'https://idp.example', claim: { name: 'roles', value: 'root' } }
    const claiming = (roles: unknown) => ({ ...principalIn([]), claims: { roles } })
    expect(isBootstrapAdmin(claiming('root'), config, nobody)).toBe(true)
    expect(isBootstrapAdmin(claiming(['x', 'root']), config, nobody)).toBe(true)
    expect(isBootstrapAdmin(claiming('rooty'), config, nobody)).toBe(false)
    expect(isBootstrapAdmin(principalIn([]), config, nobody)).toBe(false)
  })

  it('ends when a group is mapped to a scope that manages policy, unless it breaks glass', () => {
    expect(isBootstrapAdmin(principalIn([]), bySubject, document)).toBe(false)
    const breakGlass = { ...bySubject, breakGlass: true }
    expect(isBootstrapAdmin(principalIn([]), breakGlass, document)).toBe(true)
  })
})
