import type { Deadline, EndpointId } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import type { BreakerProbe, CallDeadline } from '../../resilience/index.ts'
import type { UpstreamOutbound } from './transports.ts'

export type Endpoint = ServerRecord['endpoints'][number]

/** One message for one server. */
export interface UpstreamCall {
  readonly server: ServerRecord
  readonly method: 'POST' | 'GET'
  readonly headers: Headers
  /** Absent for GET. */
  readonly body?: string
  /** A legacy session stays on the endpoint that opened it. */
  readonly pinned?: EndpointId | undefined
  /** What a server that hashes keeps together. */
  readonly key?: (() => string) | undefined
  /**
   * It is a call, whose answer is judged: the breaker learns of a success by `reportSound`
   * afterwards, and calls that run at once are bounded.
   */
  readonly isJudged?: true
  /**
   * The deadline of its answer's headers begins anew for the answer: `bodyDeadline`. Whoever reads
   * the answer bounds each wait by it, or ends it; nobody else may ask for it.
   */
  readonly keepsDeadline?: true | undefined
  /** A later round of a call that a breaker let through: what was begun is not refused half-way. */
  readonly isAdmitted?: true
  /** How it is sent, where it is not by ourselves. */
  readonly send?: UpstreamOutbound['send']
  /** Called when it is under way, each time it is sent. */
  readonly onSent?: () => void
  /** Sending twice does no harm. */
  readonly canRetry: boolean
  /** Of the whole call, retries and answer included. */
  readonly deadline?: CallDeadline | undefined
}

export interface UpstreamAnswer {
  readonly kind: 'answer'
  readonly endpoint: Endpoint
  /** Goes with what is reported of it. */
  readonly probe?: BreakerProbe | undefined
  readonly response: Response
  readonly bodyDeadline?: Deadline | undefined
  /** Its last byte came, or nobody waits for it any more. Whoever gets an answer calls it. */
  readonly end: () => void
  /** How long the call might take, when it took longer and its answer was cut off. */
  readonly lateAfterMs?: () => number | undefined
}
