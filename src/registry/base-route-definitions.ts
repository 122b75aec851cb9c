import { type createRoute, z } from '@hono/zod-openapi'
import { problem } from '../http/index.ts'

/** A route as the OpenAPI document describes it and as hono finds it. */
export type RouteDefinition = ReturnType<typeof createRoute>

/** The name of a server or a virtual server in a URL. */
export const PATH = z.object({ path: z.string() })

/** The answer of every route that names a server. */
export const unknown = { 404: problem('No such server, or none that the caller may list.') }
