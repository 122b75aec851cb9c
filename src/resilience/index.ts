/** Rank 2: what keeps one bad endpoint from hurting anything else. */
export { type AttemptPlan, attempt } from './attempt.ts'
export {
  BALANCERS,
  type BalancerName,
  type Candidate,
  createRotation,
  createRotations,
  type Picking,
  pickEndpoint,
} from './balancing/index.ts'
export {
  type BreakerConfig,
  type BreakerPhase,
  type BreakerState,
  breakerConfigOf,
  DEFAULT_BREAKER,
  type ProbeAnswer,
} from './breaker.ts'
export {
  type BreakerAdmission,
  type BreakerProbe,
  type BreakerStub,
  type Breakers,
  type BreakersDeps,
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
export { type Choice, type ChoosePlan, chooseEndpoint } from './choose.ts'
export { type CallDeadline, cutOff, type RunningDeadline, runDeadline } from './deadline.ts'
export { HEALTH_THRESHOLDS, type Health, type HealthState, nextHealth } from './health.ts'
export { hedge } from './hedge.ts'
export { createLoad, type Load, type LoadStub } from './load.ts'
export type { LoadReport } from './load-batches.ts'
export { afterCall, afterRetry, newBudget, type RetryBudget } from './retry-budget.ts'
export { BALANCER_NAMES, ResilienceSettings } from './settings.ts'
