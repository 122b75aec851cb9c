import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import { answer, body, common, NoQuery, named, posted, problem, refused } from '../http/index.ts'
import { PolicySeed } from '../policy/index.ts'
import { PATH, unknown } from './base-route-definitions.ts'
import {
  ServerInput,
  ServerListQuery,
  ServerPatch,
  ToggleInput,
  ToolListQuery,
  WriteQuery,
} from './schemas.ts'
import { HealthOut, MeOut, ServerOut, ServerPage, ToolPage } from './views.ts'

const Server = named('Server', ServerOut)
const NewServer = named('ServerInput', ServerInput)
const Policy = named('PolicySeed', PolicySeed)

const unreachable = {
  ...posted,
  422: problem('No endpoint answered.'),
  502: problem('The upstream offers more than the registry keeps.'),
}

/** The REST surface of the registry, relative to where it is mounted. */
export const ROUTES = {
  registerServer: createRoute({
    ...common,
    method: 'post',
    path: '/servers',
    operationId: 'registerServer',
    summary: 'Register a server: connect to it and store what it offers',
    request: { query: WriteQuery, body: body(NewServer) },
    responses: {
      201: answer('Registered.', Server),
      409: problem('The path is taken.'),
      ...refused,
      ...unreachable,
    },
  }),
  listServers: createRoute({
    ...common,
    method: 'get',
    path: '/servers',
    operationId: 'listServers',
    summary: 'List servers by path',
    request: { query: ServerListQuery },
    responses: { 200: answer('A page.', named('ServerPage', ServerPage)), ...refused },
  }),
  getServer: createRoute({
    ...common,
    method: 'get',
    path: '/servers/{path}',
    operationId: 'getServer',
    summary: 'Show a server',
    request: { params: PATH, query: NoQuery },
    responses: { 200: answer('The server.', Server), ...refused, ...unknown },
  }),
  replaceServer: createRoute({
    ...common,
    method: 'put',
    path: '/servers/{path}',
    operationId: 'replaceServer',
    summary: 'Replace a server',
    request: { params: PATH, query: WriteQuery, body: body(NewServer) },
    responses: { 200: answer('Replaced.', Server), ...refused, ...unknown, ...unreachable },
  }),
  patchServer: createRoute({
    ...common,
    method: 'patch',
    path: '/servers/{path}',
    operationId: 'patchServer',
    summary: 'Change members of a server',
    request: { params: PATH, query: WriteQuery, body: body(named('ServerPatch', ServerPatch)) },
    responses: { 200: answer('Changed.', Server), ...refused, ...unknown, ...unreachable },
  }),
  deleteServer: createRoute({
    ...common,
    method: 'delete',
    path: '/servers/{path}',
    operationId: 'deleteServer',
    summary: 'Delete a server',
    request: { params: PATH, query: NoQuery },
    responses: { 204: { description: 'Deleted.' }, ...refused, ...unknown },
  }),
  toggleServer: createRoute({
    ...common,
    method: 'post',
    path: '/servers/{path}/toggle',
    operationId: 'toggleServer',
    summary: 'Enable or disable a server',
    request: { params: PATH, query: NoQuery, body: body(ToggleInput, false) },
    responses: { 200: answer('Switched.', Server), ...refused, ...unknown, ...posted },
  }),
  refreshServer: createRoute({
    ...common,
    method: 'post',
    path: '/servers/{path}/refresh',
    operationId: 'refreshServer',
    summary: 'Ask the upstream again what it offers',
    request: { params: PATH, query: NoQuery },
    responses: { 200: answer('Refreshed.', Server), ...refused, ...unknown, ...unreachable },
  }),
  listTools: createRoute({
    ...common,
    method: 'get',
    path: '/servers/{path}/tools',
    operationId: 'listTools',
    summary: 'List the stored tools of a server',
    request: { params: PATH, query: ToolListQuery },
    responses: { 200: answer('A page.', named('ToolPage', ToolPage)), ...refused, ...unknown },
  }),
  serverHealth: createRoute({
    ...common,
    method: 'get',
    path: '/servers/{path}/health',
    operationId: 'serverHealth',
    summary: 'Show what the last health checks found, and what breakers let through',
    request: { params: PATH, query: NoQuery },
    responses: {
      200: answer('The health.', named('ServerHealth', HealthOut)),
      ...refused,
      ...unknown,
    },
  }),
  me: createRoute({
    ...common,
    method: 'get',
    path: '/me',
    operationId: 'me',
    summary: 'Show who the caller is and may do',
    request: { query: NoQuery },
    responses: { 200: answer('The caller.', named('Me', MeOut)), ...refused },
  }),
  getPolicy: createRoute({
    ...common,
    method: 'get',
    path: '/policy',
    operationId: 'getPolicy',
    summary: 'Show the access policy of the tenant',
    request: { query: NoQuery },
    responses: { 200: answer('The policy.', Policy), ...refused },
  }),
  replacePolicy: createRoute({
    ...common,
    method: 'put',
    path: '/policy',
    operationId: 'replacePolicy',
    summary: 'Replace the access policy of the tenant',
    request: { query: NoQuery, body: body(Policy) },
    responses: { 200: answer('Replaced.', Policy), ...refused, ...posted },
  }),
}

/** Describes the bearer token once for all operations. */
export function describeSecurity(app: Pick<OpenAPIHono, 'openAPIRegistry'>): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  })
}
