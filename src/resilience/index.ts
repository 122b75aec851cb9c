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
  type Rotations,
} from './balancing/index.ts'
export {
  type BreakerConfig,
  type BreakerPhase,
  type BreakerState,
  DEFAULT_BREAKER,
  type ProbeAnswer,
} from './breaker.ts'
export {
  type BreakerAdmission,
  type BreakerStub,
  type Breakers,
  type BreakersDeps,
  createBreakers,
} from './breakers.ts'
export { type Choice, type ChoosePlan, chooseEndpoint } from './choose.ts'
export { HEALTH_THRESHOLDS, type Health, type HealthState, nextHealth } from './health.ts'
export { createLoad, type Load, type LoadDeps, type LoadStub } from './load.ts'
export type { LoadReport, OthersLoad } from './load-batches.ts'
export { BALANCER_NAMES, ResilienceSettings } from './settings.ts'
