import type { CallContext } from '../core/index.ts'

/** A call that is refused, by what, and when to come again. */
export interface Limited {
  readonly kind: 'limited'
  /** At least 1. */
  readonly retryAfterSeconds: number
  /** A limit of the deployment, or a rule of the tenant. */
  readonly scope: 'tenant' | 'principal' | 'rule'
  /** The rule's name. */
  readonly rule?: string
  /** Several divide it: what is used up is the caller's share, whatever is left of the whole. */
  readonly isShared?: true
  /** The rule is about some server: the same call of another one may be admitted. */
  readonly isOfServer?: true
}

/** Whether a call may go on; one that may has spent its permits. */
export type Admission = { readonly kind: 'admitted' } | Limited

/** The one that says yes. */
export const ADMITTED: Admission = { kind: 'admitted' }

/** What limits need of a call; into its `rateLimit` goes what headers tell of what is left. */
export type LimitsContext = Pick<CallContext, 'clock' | 'requestId' | 'waitUntil' | 'rateLimit'>

/** Hands the permits of one call back that came to nothing; to be called once. */
export type HandBack = () => void
