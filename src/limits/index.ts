/** Rank 2: how often tenants and principals may call. */
export { createAddressLimit, type RateLimitBinding } from './address/address-limit.ts'
export { ADMITTED, type HandBack, type Limited } from './admission.ts'
export { readCounterKey } from './counter.ts'
export type { CounterUse } from './ledger.ts'
export { createLimits, type LimiterStub, type Limits } from './limits.ts'
export { limitRefusal, requireAdmission, requireTargetAdmission } from './require-admission.ts'
export { compileRules, type LimitTarget, NO_RULES, type RuleSet } from './rule-set.ts'
export {
  LIMIT_DIMENSIONS,
  type LimitRule,
  LimitRuleInput,
  LimitRulePatch,
  MAX_LIMIT_RULES,
} from './rules.ts'
