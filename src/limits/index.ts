/** Rank 2: how often tenants and principals may call. */
export type { LeaseGrant, LeaseRequest } from './lease.ts'
export {
  createLimits,
  DEFAULT_LIMITS,
  type Limited,
  type LimiterStub,
  type Limits,
  type LimitsConfig,
  type LimitsDeps,
} from './limits.ts'
export { requireAdmission } from './require-admission.ts'
