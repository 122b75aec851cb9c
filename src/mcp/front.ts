import {
  type CallContext,
  GatewayError,
  type MaybePromise,
  type Principal,
  toGatewayError,
} from '../core/index.ts'
import { resourceMetadataUrl } from '../identity/index.ts'
import {
  endpointPath,
  endpointUrl,
  type McpRoutesDeps,
  requireBothAccepted,
  requireJson,
  requireStreamAccepted,
} from './routes.ts'
import { errorReply } from './wire/reply.ts'

/** Answers a request at `/mcp` or `/{path}/mcp`; undefined for any other URL. */
export type McpFront = (call: CallContext, request: Request) => Promise<Response> | undefined

const ALLOW = 'GET, POST, DELETE'
/** What stands between the origin and `/mcp`, when the path is that of an endpoint. */
const ENDPOINT_URL = /^https?:\/\/[^/]*(?:\/([^/?]+))?\/mcp(?:\?|$)/

/**
 * The front of every MCP endpoint, without a router: most requests end here. It answers alike for
 * every well-formed name until the caller has proven who it is.
 */
export function createMcpFront(deps: McpRoutesDeps): McpFront {
  async function at(call: CallContext, request: Request, name: string): Promise<Response> {
    try {
      const path = endpointPath(name)
      const proving = authenticate(deps, request.headers, path)
      const principal = proving instanceof Promise ? await proving : proving
      call.facts.principal = principal.key
      call.facts.tenant = principal.tenant
      return await serve(deps, call, principal, path, request)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      if (error.code === 'internal') throw thrown
      call.facts.outcome = error.code
      return errorReply(error, 'null', call.requestId)
    }
  }

  return (call, request) => {
    const found = ENDPOINT_URL.exec(request.url)
    if (!found) return undefined
    const [, name] = found
    call.facts.route = name === undefined ? '/mcp' : '/:server/mcp'
    return at(call, request, name ?? 'mcp')
  }
}

function authenticate(
  { identity, publicUrl }: McpRoutesDeps,
  headers: Headers,
  path: string,
): MaybePromise<Principal> {
  const url = endpointUrl(publicUrl, path)
  const metadataUrl = () => resourceMetadataUrl(url)
  return identity.authenticate(headers, { url, metadataUrl })
}

function serve(
  { endpoint }: McpRoutesDeps,
  call: CallContext,
  principal: Principal,
  path: string,
  request: Request,
): Promise<Response> {
  const { method, headers } = request
  if (method === 'POST') {
    requireJson(headers.get('content-type'))
    requireBothAccepted(headers.get('accept'))
    return endpoint.post(call, principal, path, request)
  }
  if (method === 'DELETE') return endpoint.delete(call, principal, path, request)
  if (method === 'GET') {
    requireStreamAccepted(headers.get('accept'))
    return endpoint.get(call, principal, path, request)
  }
  throw new GatewayError('method_not_allowed', `${method} is not served at an MCP endpoint.`, {
    fix: 'Send JSON-RPC messages by POST; end a session by DELETE.',
    headers: { allow: ALLOW },
  })
}
