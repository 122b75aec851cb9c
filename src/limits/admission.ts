import type { CallContext } from '../core/index.ts'

export interface Limited {
  readonly kind: 'limited'
  /** At least 1. */
  readonly retryAfterSeconds: number
  /** A limit of the deployment, or a rule of the tenant. */
  readonly scope: 'tenant' | 'principal' | 'rule'
  /** The rule's name. */
  readonly rule?: string
  /** The rule is about some server: the same call of another one may be admitted. */
  readonly isOfServer?: true
}

export type Admission = { readonly kind: 'admitted' } | Limited
export const ADMITTED: Admission = { kind: 'admitted' }

export type LimitsContext = Pick<CallContext, 'clock' | 'requestId' | 'waitUntil' | 'rateLimit'>

/** Hands the permits of one call back that came to nothing; to be called once. */
export type HandBack = () => void
