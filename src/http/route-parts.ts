import { z } from '@hono/zod-openapi'

/** RFC 9457, with the members that answers have (`Problem`). */
const ProblemOut = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
  fix: z.string(),
  requestId: z
    .string()
    .describe('Absent where an address sends too much: nothing of its requests is looked at.')
    .optional(),
})

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
/** The answers of every route that reads a body. */
export const posted = {
  408: problem('The body did not come in time.'),
  413: problem('The body is too large.'),
  415: problem('The body is not JSON.'),
}
