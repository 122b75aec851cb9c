import { createRoute } from '@hono/zod-openapi'
import { answer, common, refused } from '../../http/index.ts'
import {
  FindResourcesQuery,
  FindToolsQuery,
  FoundResources,
  FoundTools,
} from './discovery-schemas.ts'

/** S-A's capability discovery, relative to where it is mounted. */
export const DISCOVERY_ROUTES = {
  findTools: createRoute({
    ...common,
    method: 'get',
    path: '/tools',
    operationId: 'findTools',
    summary: 'Find which servers have a tool, in the order in which the gateway would choose',
    request: { query: FindToolsQuery },
    responses: { 200: answer('A page.', FoundTools), ...refused },
  }),
  findResources: createRoute({
    ...common,
    method: 'get',
    path: '/resources',
    operationId: 'findResources',
    summary: 'Find which servers have a resource, in the order in which the gateway would choose',
    request: { query: FindResourcesQuery },
    responses: { 200: answer('A page.', FoundResources), ...refused },
  }),
}
