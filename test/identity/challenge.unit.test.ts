import { describe, expect, it } from 'vitest'
import {
  challenge,
  protectedResourceMetadata,
  resourceMetadataUrl,
} from '../../src/identity/index.ts'

const METADATA = 'https://gateway.example/.well-known/oauth-protected-resource/weather/mcp'

describe('a challenge', () => {
  it('names only the metadata when no token was sent', () => {
    expect(challenge(METADATA)).toBe(`Bearer resource_metadata="${METADATA}"`)
  })

  it('says what is wrong with a token', () => {
    expect(challenge(METADATA, { code: 'invalid_token', description: 'It has expired.' })).toBe(
      `Bearer resource_metadata="${METADATA}", error="invalid_token", error_description="It has expired."`,
    )
  })

  it('names the scope that would do', () => {
    expect(challenge(METADATA, { code: 'insufficient_scope', scope: 'a:read b' })).toBe(
      `Bearer resource_metadata="${METADATA}", error="insufficient_scope", scope="a:read b"`,
    )
  })

  it('lets no value end its quotes or its line', () => {
    expect(challenge('x"\r\nSet-Cookie: a\\"', { code: 'insufficient_scope', scope: 'é"' })).toBe(
      'Bearer resource_metadata="x???Set-Cookie: a??", error="insufficient_scope", scope="??"',
    )
  })
})

describe('protected-resource metadata', () => {
  it('describes the exact endpoint', () => {
    const resource = 'https://gateway.example/weather/mcp'
    expect(
      protectedResourceMetadata({
        resource,
        resourceName: 'weather',
        authorizationServers: ['https://idp.example'],
        scopesSupported: ['read'],
      }),
    ).toEqual({
      resource,
      resource_name: 'weather',
      authorization_servers: ['https://idp.example'],
      bearer_methods_supported: ['header'],
      scopes_supported: ['read'],
    })
  })

  it('leaves out scopes that nobody named', () => {
    const document = protectedResourceMetadata({
      resource: 'https://gateway.example/mcp',
      resourceName: 'all servers',
      authorizationServers: [],
    })
    expect(Object.keys(document)).not.toContain('scopes_supported')
  })

  it.each([
    ['https://gateway.example/weather/mcp', METADATA],
    ['https://gateway.example/', 'https://gateway.example/.well-known/oauth-protected-resource'],
    ['http://127.0.0.1:8787/mcp', 'http://127.0.0.1:8787/.well-known/oauth-protected-resource/mcp'],
  ])('of %s is at %s', (resource, url) => {
    expect(resourceMetadataUrl(resource)).toBe(url)
  })
})
