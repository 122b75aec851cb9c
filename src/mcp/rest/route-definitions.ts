import { createRoute } from '@hono/zod-openapi'
import { z } from 'zod'
import { answer, body, common, NoQuery, posted, problem, refused } from '../../http/index.ts'
import {
  AllToolsOut,
  CallToolInput,
  CallToolOut,
  ConnectInput,
  CursorQuery,
  PromptsOut,
  ReadResourceInput,
  ReadResourceOut,
  ResourcesOut,
  SessionOut,
  ToolsOut,
} from './schemas.ts'

const ID = z.object({ id: z.string() })

const unknown = { 404: problem('No such session: unknown, expired, closed, or of another.') }
const upstream = {
  502: problem('The server failed, or refused; `upstream_error` holds its JSON-RPC error.'),
  503: problem('The server is failing; `Retry-After` says when the gateway tries it again.'),
  504: problem('The server did not answer in time.'),
}

/** REST sessions, relative to where they are mounted. */
export const SESSION_ROUTES = {
  connect: createRoute({
    ...common,
    method: 'post',
    path: '/servers/connect',
    operationId: 'connectServer',
    summary: 'Open a session with a server',
    request: { query: NoQuery, body: body(ConnectInput) },
    responses: {
      201: answer('Connected; the session id is good for 24 hours.', SessionOut),
      ...refused,
      404: problem('No such server, or none that the caller may use.'),
      ...posted,
      ...upstream,
    },
  }),
  listTools: createRoute({
    ...common,
    method: 'get',
    path: '/sessions/{id}/tools',
    operationId: 'listSessionTools',
    summary: 'List the tools of a session’s server',
    request: { params: ID, query: NoQuery },
    responses: { 200: answer('All of them.', ToolsOut), ...refused, ...unknown, ...upstream },
  }),
  listResources: createRoute({
    ...common,
    method: 'get',
    path: '/sessions/{id}/resources',
    operationId: 'listSessionResources',
    summary: 'List the resources and resource templates of a session’s server',
    request: { params: ID, query: NoQuery },
    responses: { 200: answer('All of them.', ResourcesOut), ...refused, ...unknown, ...upstream },
  }),
  listPrompts: createRoute({
    ...common,
    method: 'get',
    path: '/sessions/{id}/prompts',
    operationId: 'listSessionPrompts',
    summary: 'List the prompts of a session’s server',
    request: { params: ID, query: NoQuery },
    responses: { 200: answer('All of them.', PromptsOut), ...refused, ...unknown, ...upstream },
  }),
  info: createRoute({
    ...common,
    method: 'get',
    path: '/sessions/{id}/info',
    operationId: 'showSession',
    summary: 'Show a session and what is known of its server',
    request: { params: ID, query: NoQuery },
    responses: { 200: answer('The session.', SessionOut), ...refused, ...unknown },
  }),
  callTool: createRoute({
    ...common,
    method: 'post',
    path: '/sessions/{id}/tools/call',
    operationId: 'callSessionTool',
    summary: 'Call a tool; one that fails answers with `is_error`',
    request: { params: ID, query: NoQuery, body: body(CallToolInput) },
    responses: {
      200: answer('What the tool gave.', CallToolOut),
      ...refused,
      404: problem('No such session, or no such tool.'),
      ...posted,
      ...upstream,
    },
  }),
  readResource: createRoute({
    ...common,
    method: 'post',
    path: '/sessions/{id}/resources/read',
    operationId: 'readSessionResource',
    summary: 'Read a resource',
    request: { params: ID, query: NoQuery, body: body(ReadResourceInput) },
    responses: {
      200: answer('The contents.', ReadResourceOut),
      ...refused,
      ...unknown,
      ...posted,
      ...upstream,
    },
  }),
  disconnect: createRoute({
    ...common,
    method: 'delete',
    path: '/sessions/{id}',
    operationId: 'closeSession',
    summary: 'Close a session',
    request: { params: ID, query: NoQuery },
    responses: { 204: { description: 'Closed.' }, ...refused, ...unknown },
  }),
}

/** Stands beside `/mcp`, outside of where the rest of the document is mounted. */
export const ALL_TOOLS_ROUTE = createRoute({
  ...common,
  method: 'get',
  path: '/mcp/tools',
  operationId: 'listAllTools',
  summary: 'List the tools of every server that the caller may use, as /mcp names them',
  servers: [{ url: '/' }],
  request: { query: CursorQuery },
  responses: { 200: answer('A page.', AllToolsOut), ...refused },
})
