import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { onLoopback } from './loopback.ts'

/** What the tokens of one client say, in Keycloak's words. */
export interface IdpClient {
  readonly groups: readonly string[]
  /** `realm_access.roles`. */
  readonly roles?: readonly string[]
  /** OAuth scopes that the client may ask for; by default it asks for all of them. */
  readonly scopes?: readonly string[]
  /** Default 300. Negative for a token that has already expired. */
  readonly ttlSeconds?: number
  /** Claims that replace or extend the usual ones. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface Idp {
  readonly issuer: string
  /** A signed access token for a client; `scope` is separated by spaces. */
  token(clientId: string, options?: { readonly scope?: string }): Promise<string>
  /** New keys from now on, as if the provider had been restarted. */
  rotateKeys(): Promise<void>
  stop(): Promise<void>
}

export const DEFAULT_CLIENTS = {
  'admin-service': { groups: ['/mcp-registry-admin'], roles: ['mcp-registry-admin'] },
  'user-service': { groups: ['/mcp-registry-user'], roles: ['mcp-registry-user'] },
  'restricted-service': { groups: ['/mcp-registry-restricted'] },
} as const satisfies Record<string, IdpClient>

/**
 * Starts a real OpenID provider (`oidc-provider`) on a free loopback port. It knows the
 * `client_credentials` grant and signs JWT access tokens (RS256) for one audience, with claims as
 * Keycloak would write them.
 */
export async function startIdp(options: {
  readonly audience: string
  readonly clients?: Readonly<Record<string, IdpClient>>
}): Promise<Idp> {
  const clients: Readonly<Record<string, IdpClient>> = options.clients ?? DEFAULT_CLIENTS
  const Provider = await loadProvider()
  let handle: Handler = (_request, response) => response.writeHead(503).end()
  const server = createServer((request, response) => handle(request, response))
  const { origin: issuer, stop } = await onLoopback(server)

  async function useNewKeys(): Promise<void> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    const key = { ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig' }
    const provider = new Provider(issuer, configuration(options.audience, clients, key))
    handle = provider.callback()
  }
  await useNewKeys()

  return {
    issuer,
    rotateKeys: useNewKeys,
    async token(clientId, { scope = clients[clientId]?.scopes?.join(' ') } = {}) {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: clientId,
          client_secret: secretOf(clientId),
          ...(scope && { scope }),
        }),
      })
      const body: unknown = await response.json()
      if (isTokenAnswer(body)) return body.access_token
      throw new Error(`no token for ${clientId}: ${response.status} ${JSON.stringify(body)}`)
    },
    stop,
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** The part of `oidc-provider` that is used here; the package has no types of its own. */
type ProviderClass = new (issuer: string, configuration: object) => { callback(): Handler }

async function loadProvider(): Promise<ProviderClass> {
  // A specifier that the compiler does not resolve: without types it would refuse the import.
  const module: { default: ProviderClass } = await import('oidc-provider' as string)
  return module.default
}

function configuration(
  audience: string,
  clients: Readonly<Record<string, IdpClient>>,
  key: JWK,
): object {
  const clientOf = ({ clientId }: { clientId: string }) => clients[clientId] ?? { groups: [] }
  return {
    adapter: ForgetfulAdapter,
    jwks: { keys: [key] },
    ttl: { ClientCredentials: 300 },
    clients: Object.keys(clients).map((clientId) => ({
      client_id: clientId,
      client_secret: secretOf(clientId),
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: 'client_secret_post',
    })),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (
          _ctx: unknown,
          _resource: string,
          client: { clientId: string },
        ) => ({
          audience,
          scope: (clientOf(client).scopes ?? []).join(' '),
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt: (_ctx: unknown, token: { clientId: string }, jwt: { payload: { iat: number } }) => {
          Object.assign(jwt.payload, keycloakClaims(token.clientId, clientOf(token), jwt.payload))
        },
      },
    },
  }
}

function keycloakClaims(clientId: string, client: IdpClient, { iat }: { iat: number }): object {
  const lifetimeSeconds = client.ttlSeconds ?? 300
  const issuedAt = lifetimeSeconds < 0 ? iat + 2 * lifetimeSeconds : iat
  return {
    typ: 'Bearer',
    azp: clientId,
    preferred_username: `service-account-${clientId}`,
    groups: client.groups,
    realm_access: { roles: client.roles ?? [] },
    iat: issuedAt,
    exp: iat + lifetimeSeconds,
    ...client.claims,
  }
}

/** Signed tokens need no store, and the provider's own in-memory one warns on every start. */
class ForgetfulAdapter {
  async upsert(): Promise<void> {}
  async find(): Promise<undefined> {
    return undefined
  }
  async destroy(): Promise<void> {}
}

function secretOf(clientId: string): string {
  return `${clientId}-secret`
}

function isTokenAnswer(body: unknown): body is { access_token: string } {
  return typeof body === 'object' && body !== null && 'access_token' in body
}
