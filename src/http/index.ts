/** Rank 1: what is true of every HTTP request. */
export type { AllowAddress } from './address-guard.ts'
export { createEventLine, type EventLine } from './event-line.ts'
export type { GuardConfig } from './guards.ts'
export {
  createRenderProblem,
  notFoundHandler,
  problemHandler,
  type RenderProblem,
} from './on-error.ts'
export { type Problem, problemResponse } from './problem.ts'
export { type BodyBounds, DEFAULT_BODY_TIMEOUT_MS, requestText } from './request-body.ts'
export { type HttpEnv, requestContext } from './request-context.ts'
export { jsonBody, NoQuery, optionalJsonBody, queryOf, refuseQuery } from './rest-input.ts'
export { createServe, type Platform, type Serve } from './serve.ts'
