/** Rank 1: what is true of every HTTP request. */
export { addressGuard } from './address-guard.ts'
export { createEventLine, type EventLine } from './event-line.ts'
export { type GuardConfig, guards } from './guards.ts'
export { notFoundHandler, problemHandler } from './on-error.ts'
export { type Problem, problemResponse } from './problem.ts'
export { type HttpEnv, requestContext } from './request-context.ts'
export { jsonBody, NoQuery, optionalJsonBody, queryOf, refuseQuery } from './rest-input.ts'
