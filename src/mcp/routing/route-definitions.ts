import { createRoute } from '@hono/zod-openapi'
import type { z } from 'zod'
import {
  FindResourcesQuery,
  FindToolsQuery,
  FoundResources,
  FoundTools,
} from './discovery-schemas.ts'

const problem = (description: string) => ({
  description,
  // The registry's routes define it.
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})
const answer = (schema: z.ZodType) => ({
  200: { description: 'A page.', content: { 'application/json': { schema } } },
})
const common = { security: [{ bearer: [] }] }
const refused = {
  400: problem('The input is invalid; `problems` names each member.'),
  401: problem('No valid credential.'),
  403: problem('A permission or an OAuth scope is missing.'),
  429: problem('Too many requests.'),
}

/** S-A's capability discovery, relative to where it is mounted. */
export const DISCOVERY_ROUTES = {
  findTools: createRoute({
    ...common,
    method: 'get',
    path: '/tools',
    operationId: 'findTools',
    summary: 'Find which servers have a tool, in the order in which the gateway would choose',
    request: { query: FindToolsQuery },
    responses: { ...answer(FoundTools), ...refused },
  }),
  findResources: createRoute({
    ...common,
    method: 'get',
    path: '/resources',
    operationId: 'findResources',
    summary: 'Find which servers have a resource, in the order in which the gateway would choose',
    request: { query: FindResourcesQuery },
    responses: { ...answer(FoundResources), ...refused },
  }),
}
