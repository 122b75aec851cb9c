import type { CallContext, RateLimitNote } from '../../core/index.ts'
import type { HandBack, Limited, LimitTarget } from '../../limits/index.ts'
import type { Admitting } from '../relay/admit-target.ts'
import type { SharedRequest } from './shared-request.ts'

/** What the limits say to a server that may turn out not to take the call. */
export type CandidateAdmission =
  | {
      readonly kind: 'admitted'
      /** For a call that nobody got: as if it had not been asked for. */
      readonly handBack: HandBack
    }
  | {
      readonly kind: 'limited'
      readonly limited: Limited
      /** Writes the refusal to the answer's headers; nothing of it is there before. */
      readonly tell: () => void
    }

const FREE: CandidateAdmission = { kind: 'admitted', handBack: () => {} }

/** Spends a permit of the rules about this server, method and tool, and says how to undo it. */
export async function admitCandidate(
  ctx: CallContext,
  { limits }: Admitting,
  { actor, snapshot }: Pick<SharedRequest, 'actor' | 'snapshot'>,
  target: LimitTarget,
): Promise<CandidateAdmission> {
  const { limits: rules } = snapshot
  if (rules.targeted.length === 0) return FREE
  const { clock, requestId, rateLimit } = ctx
  const before = { ...rateLimit }
  const note = { ...rateLimit }
  const waitUntil = (work: Promise<unknown>): void => ctx.waitUntil(work)
  const asking = { clock, requestId, waitUntil, rateLimit: note }
  const receipt: HandBack[] = []
  const admission = await limits.admitTarget(asking, actor.principal, rules, target, receipt)
  const tell = (): void => rewrite(rateLimit, note)
  if (admission.kind === 'limited') return { kind: 'limited', limited: admission, tell }
  tell()
  return {
    kind: 'admitted',
    handBack() {
      for (const back of receipt) back()
      rewrite(rateLimit, before)
    },
  }
}

function rewrite(rateLimit: RateLimitNote | undefined, note: RateLimitNote): void {
  if (!rateLimit) return
  delete rateLimit.left
  delete rateLimit.policy
  delete rateLimit.state
  Object.assign(rateLimit, note)
}
