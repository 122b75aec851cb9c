import { createRoute, z } from '@hono/zod-openapi'
import { answer, common, NoQuery, named, refused } from '../../http/index.ts'
import { unknown } from '../base-route-definitions.ts'
import { PageQuery } from '../schemas.ts'
import { ServiceHealthOut, ServiceOut, ServicePage } from './service-views.ts'

/** The path of a server, by the name that service lists give it. */
const ID = z.object({ id: z.string() })

/** Servers in the words of a service list, relative to where it is mounted. */
export const SERVICE_ROUTES = {
  listServices: createRoute({
    ...common,
    method: 'get',
    path: '/services',
    operationId: 'listServices',
    summary: 'List servers as services, by id',
    request: { query: PageQuery },
    responses: { 200: answer('A page.', named('ServicePage', ServicePage)), ...refused },
  }),
  getService: createRoute({
    ...common,
    method: 'get',
    path: '/services/{id}',
    operationId: 'getService',
    summary: 'Show a server as a service',
    request: { params: ID, query: NoQuery },
    responses: {
      200: answer('The service.', named('Service', ServiceOut)),
      ...refused,
      ...unknown,
    },
  }),
  serviceHealth: createRoute({
    ...common,
    method: 'get',
    path: '/services/{id}/health',
    operationId: 'serviceHealth',
    summary: 'Show what the last health checks of a service found',
    request: { params: ID, query: NoQuery },
    responses: {
      200: answer('The health.', named('ServiceHealth', ServiceHealthOut)),
      ...refused,
      ...unknown,
    },
  }),
}
