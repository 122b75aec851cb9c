/** Rank 1: what is true of every HTTP request. */
export { createEventLine, type EventLine } from './event-line.ts'
export { createRenderProblem, notFoundHandler, problemHandler } from './on-error.ts'
export { problemResponse } from './problem.ts'
export { type BodyBounds, requestText } from './request-body.ts'
export { type HttpEnv, requestContext } from './request-context.ts'
export { jsonBody, NoQuery, optionalJsonBody, queryOf, refuseQuery } from './rest-input.ts'
export { answer, body, common, named, posted, problem, refused } from './route-parts.ts'
export { createServe, type Platform, type Serve } from './serve.ts'
