import { createRoute } from '@hono/zod-openapi'
import { answer, body, common, NoQuery, named, posted, problem, refused } from '../../http/index.ts'
import { PATH, unknown } from '../base-route-definitions.ts'
import { PageQuery, ToggleInput } from '../schemas.ts'
import { RepinInput, VirtualServerInput, VirtualServerPatch } from './virtual-schemas.ts'
import { VirtualServerOut, VirtualServerPage } from './virtual-views.ts'

const Virtual = named('VirtualServer', VirtualServerOut)
const NewVirtual = named('VirtualServerInput', VirtualServerInput)

const changed = {
  ...refused,
  ...unknown,
  ...posted,
  409: problem('It was changed meanwhile.'),
}

/** The REST surface of virtual servers, relative to where it is mounted. */
export const VIRTUAL_ROUTES = {
  createVirtualServer: createRoute({
    ...common,
    method: 'post',
    path: '/virtual-servers',
    operationId: 'createVirtualServer',
    summary: 'Make a virtual server of chosen items of others, pinned to what they are now',
    request: { query: NoQuery, body: body(NewVirtual) },
    responses: {
      201: answer('Made.', Virtual),
      409: problem('The path is taken.'),
      ...refused,
      ...posted,
    },
  }),
  listVirtualServers: createRoute({
    ...common,
    method: 'get',
    path: '/virtual-servers',
    operationId: 'listVirtualServers',
    summary: 'List virtual servers by path',
    request: { query: PageQuery },
    responses: {
      200: answer('A page.', named('VirtualServerPage', VirtualServerPage)),
      ...refused,
    },
  }),
  getVirtualServer: createRoute({
    ...common,
    method: 'get',
    path: '/virtual-servers/{path}',
    operationId: 'getVirtualServer',
    summary: 'Show a virtual server, and whether its items are still what was chosen',
    request: { params: PATH, query: NoQuery },
    responses: { 200: answer('The virtual server.', Virtual), ...refused, ...unknown },
  }),
  replaceVirtualServer: createRoute({
    ...common,
    method: 'put',
    path: '/virtual-servers/{path}',
    operationId: 'replaceVirtualServer',
    summary: 'Replace a virtual server; items it had before keep their pins',
    request: { params: PATH, query: NoQuery, body: body(NewVirtual) },
    responses: { 200: answer('Replaced.', Virtual), ...changed },
  }),
  patchVirtualServer: createRoute({
    ...common,
    method: 'patch',
    path: '/virtual-servers/{path}',
    operationId: 'patchVirtualServer',
    summary: 'Change members of a virtual server',
    request: {
      params: PATH,
      query: NoQuery,
      body: body(named('VirtualServerPatch', VirtualServerPatch)),
    },
    responses: { 200: answer('Changed.', Virtual), ...changed },
  }),
  deleteVirtualServer: createRoute({
    ...common,
    method: 'delete',
    path: '/virtual-servers/{path}',
    operationId: 'deleteVirtualServer',
    summary: 'Delete a virtual server',
    request: { params: PATH, query: NoQuery },
    responses: { 204: { description: 'Deleted.' }, ...refused, ...unknown },
  }),
  toggleVirtualServer: createRoute({
    ...common,
    method: 'post',
    path: '/virtual-servers/{path}/toggle',
    operationId: 'toggleVirtualServer',
    summary: 'Enable or disable a virtual server',
    request: { params: PATH, query: NoQuery, body: body(ToggleInput, false) },
    responses: { 200: answer('Switched.', Virtual), ...changed },
  }),
  repinVirtualServer: createRoute({
    ...common,
    method: 'post',
    path: '/virtual-servers/{path}/repin',
    operationId: 'repinVirtualServer',
    summary: 'Accept what upstreams offer now, for the named items or for all',
    request: { params: PATH, query: NoQuery, body: body(RepinInput, false) },
    responses: { 200: answer('Pinned.', Virtual), ...changed },
  }),
}
