/** Rank 2: what keeps one bad endpoint from hurting anything else. */
export { attempt } from './attempt.ts'
export { createRotations } from './balancing/index.ts'
export { type BreakerPhase, breakerConfigOf, DEFAULT_BREAKER } from './breaker.ts'
export {
  type BreakerProbe,
  type BreakerStub,
  type Breakers,
  createBreakers,
  type EndpointBreakers,
} from './breakers.ts'
export {
  type Bulkhead,
  type BulkheadBounds,
  createBulkhead,
  LOST_AFTER_MS,
  type Seat,
} from './bulkhead.ts'
export { type Choice, chooseEndpoint } from './choose.ts'
export { contradictionsIn, type ResilienceDefaults } from './contradictions.ts'
export { type CallDeadline, cutOff, type RunningDeadline, runDeadline } from './deadline.ts'
export { nextHealth } from './health.ts'
export { hedge } from './hedge.ts'
export { createLoad, type Load, type LoadStub } from './load.ts'
export { afterCall, afterRetry, newBudget, type RetryBudget } from './retry-budget.ts'
export { BALANCER_NAMES, ResilienceSettings } from './settings.ts'
