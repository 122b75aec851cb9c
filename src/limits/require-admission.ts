import { type CallContext, GatewayError, type Principal, retryIn } from '../core/index.ts'
import type { Admission, Limited } from './admission.ts'
import type { Limits } from './limits.ts'
import type { LimitTarget, RuleSet } from './rule-set.ts'

/**
 * Spends a permit of the principal, its tenant and the rules about callers, or throws
 * `rate_limited` with `Retry-After`. Undefined when it is done already.
 */
export function requireAdmission(
  ctx: CallContext,
  limits: Limits,
  principal: Principal,
  rules: RuleSet,
): Promise<void> | undefined {
  return pass(limits.admit(ctx, principal, rules))
}

/**
 * Spends a permit of the rules about servers, tools and methods; what `requireAdmission` spent
 * stays spent if it throws, since asking for what is used up must not be free.
 */
export function requireTargetAdmission(
  ctx: CallContext,
  limits: Pick<Limits, 'admitTarget'>,
  principal: Principal,
  rules: RuleSet,
  target: LimitTarget,
): Promise<void> | undefined {
  return pass(limits.admitTarget(ctx, principal, rules, target))
}

function pass(admission: Admission | Promise<Admission>): Promise<void> | undefined {
  if (admission instanceof Promise) return admission.then(refuse)
  refuse(admission)
  return undefined
}

function refuse(admission: Admission): void {
  if (admission.kind === 'limited') throw limitRefusal(admission)
}

/** `rate_limited`, as callers are told of it. */
export function limitRefusal(limited: Limited): GatewayError {
  const { scope, rule, retryAfterSeconds } = limited
  const wait = retryIn(retryAfterSeconds)
  const what = limited.isShared ? 'Your share of the limit' : 'The limit'
  const whose = rule === undefined ? `of this ${scope}` : JSON.stringify(rule)
  return new GatewayError(
    'rate_limited',
    `${what} ${whose} is used up; try again in ${retryAfterSeconds} s.`,
    { ...wait, data: { scope, ...(rule === undefined ? {} : { rule }), ...wait.data } },
  )
}
