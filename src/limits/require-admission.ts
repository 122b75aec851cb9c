import { type CallContext, GatewayError, type Principal } from '../core/index.ts'
import type { Limits } from './limits.ts'

/** Spends a permit of the principal and its tenant, or throws `rate_limited` with `Retry-After`. */
export async function requireAdmission(
  ctx: CallContext,
  limits: Limits,
  principal: Principal,
): Promise<void> {
  const admission = await limits.admit(ctx, principal)
  if (admission.kind === 'admitted') return
  const { scope, retryAfterSeconds } = admission
  throw new GatewayError(
    'rate_limited',
    `The limit of this ${scope} is used up; try again in ${retryAfterSeconds} s.`,
    {
      headers: { 'retry-after': String(retryAfterSeconds) },
      data: { scope, retryAfterSeconds },
    },
  )
}
