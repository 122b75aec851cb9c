import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  type FetchLikeMcpHandler,
  localhostHostValidation,
  localhostOriginValidation,
  type NodeMcpRequestHandler,
  toNodeHandler,
} from '@modelcontextprotocol/node'

/** A node:http listener that serves an MCP handler at `/mcp` to local callers, and 404 elsewhere. */
export function mcpListener(handler: FetchLikeMcpHandler): RequestListener {
  const handle = toNodeHandler(handler)
  const hostIsLocal = localhostHostValidation()
  const originIsLocal = localhostOriginValidation()
  return (request, response) => {
    if (!hostIsLocal(request, response) || !originIsLocal(request, response)) return
    if (request.url?.split('?')[0] === '/mcp') void handle(...asHandlerArguments(request, response))
    else response.writeHead(404).end()
  }
}

/** The adapter is made for these two; only its types predate exactOptionalPropertyTypes. */
function asHandlerArguments(
  request: IncomingMessage,
  response: ServerResponse,
): Parameters<NodeMcpRequestHandler> {
  return [request, response] as unknown as Parameters<NodeMcpRequestHandler>
}
