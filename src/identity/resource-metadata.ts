/** RFC 9728 section 2: what a client must know to get a token for an MCP endpoint. */
export interface ProtectedResourceMetadata {
  /** The endpoint's exact URL (RFC 9728 section 3.3). */
  readonly resource: string
  readonly resource_name: string
  readonly authorization_servers: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
  readonly scopes_supported?: readonly string[]
}

/**
 * The protected-resource metadata of one endpoint. A function of its arguments alone: it answers
 * alike for every well-formed server name, so it tells no one which servers exist.
 */
export function protectedResourceMetadata(endpoint: {
  readonly resource: string
  readonly resourceName: string
  /** Issuer identifiers. */
  readonly authorizationServers: readonly string[]
  readonly scopesSupported?: readonly string[]
}): ProtectedResourceMetadata {
  return {
    resource: endpoint.resource,
    resource_name: endpoint.resourceName,
    authorization_servers: endpoint.authorizationServers,
    bearer_methods_supported: ['header'],
    ...(endpoint.scopesSupported && { scopes_supported: endpoint.scopesSupported }),
  }
}

/** Where that document is: `/.well-known/oauth-protected-resource` before the path (section 3.1). */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  const path = pathname === '/' ? '' : pathname
  return `${origin}/.well-known/oauth-protected-resource${path}${search}`
}
