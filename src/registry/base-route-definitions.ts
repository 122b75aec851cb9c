import { type createRoute, z } from '@hono/zod-openapi'
import { ProblemOut } from './views.ts'

/** A route as the OpenAPI document describes it and as hono finds it. */
export type RouteDefinition = ReturnType<typeof createRoute>

/** The name of a server or a virtual server in a URL. */
export const PATH = z.object({ path: z.string() })

/**
 * A schema with a name in the document. The copy is made after the import above taught zod
 * `openapi`; the schemas themselves know nothing of it.
 */
export const named = <T extends z.ZodType>(name: string, schema: T): T =>
  schema.clone().openapi(name)

const Problem = named('Problem', ProblemOut)

/** An answer that is a problem document. */
export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: Problem } },
})
/** An answer that is JSON of a schema. */
export const answer = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
})
/** A JSON body. */
export const body = (schema: z.ZodType, required = true) => ({
  required,
  content: { 'application/json': { schema } },
})

/** What every route has. */
export const common = { security: [{ bearer: [] }] }
/** Answers that every route may give. */
export const refused = {
  400: problem('The input is invalid; `problems` names each member.'),
  401: problem('No valid credential.'),
  403: problem('A permission or an OAuth scope is missing.'),
  429: problem('Too many requests.'),
}
/** The answer of every route that names a server. */
export const unknown = { 404: problem('No such server, or none that the caller may list.') }
/** The answer of every route that reads a body. */
export const notJson = { 415: problem('The body is not JSON.') }
