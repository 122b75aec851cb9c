import type { SpareDeadline } from './deadline.ts'
import type { ErrorCode } from './errors.ts'

/** Milliseconds since the epoch. Workers freeze it between I/O: never time CPU with it. */
export interface Clock {
  now(): number
}

/** Where ids and chance come from, so that a test can fix both. */
export interface Random {
  /** A UUID, version 4. */
  uuid(): string
  /** Uniform in [0, 1). Never for secrets. */
  fraction(): number
  /** Bytes fit for keys and nonces. */
  bytes(length: number): Uint8Array<ArrayBuffer>
}

export const systemClock: Clock = { now: () => Date.now() }

export const systemRandom: Random = {
  uuid: () => crypto.randomUUID(),
  fraction: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
}

/**
 * What the event line of this request will say; filled in on the way (see `observability/`).
 * Never holds a token, an argument or a result.
 */
export interface RequestFacts {
  route?: string | undefined
  /** `principal.key`: issuer and a hash of the subject. */
  principal?: string | undefined
  tenant?: string | undefined
  server?: string | undefined
  /** Servers that could have had it, where the gateway chose among them. */
  candidates?: number | undefined
  endpoint?: string | undefined
  method?: string | undefined
  tool?: string | undefined
  era?: 'modern' | 'legacy' | undefined
  outcome?: 'ok' | 'tool_error' | 'rpc_error' | 'cancelled' | 'stalled' | ErrorCode | undefined
  /** Time until the upstream's response headers. */
  upstreamMs?: number | undefined
  attempts?: number | undefined
  /** How many a batch held. */
  messages?: number | undefined
}

/** Whose request it is, for a part of it that has facts of its own. */
export function callerFacts({ principal, tenant }: RequestFacts): RequestFacts {
  return {
    ...(principal === undefined ? {} : { principal }),
    ...(tenant === undefined ? {} : { tenant }),
  }
}

/**
 * What the answer's `RateLimit` fields will say: admission notes the tightest limit that the request
 * passed, `http/serve.ts` writes it. Parts of a batch share one.
 */
export interface RateLimitNote {
  /** Permits left of it, about. */
  left?: number | undefined
  /** A member of `RateLimit-Policy` and of `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11). */
  policy?: string | undefined
  state?: string | undefined
}

/** Who waits for an answer: a request, or whatever stands for one. */
export interface Caller {
  /**
   * Aborted when the caller disconnects. To look at it costs a request a tenth of a bare one: who waits
   * for a call under a deadline has that hear of the caller instead (`Deadline.hear`).
   */
  readonly signal: AbortSignal
}

/** Everything a verb may need besides its input and its deps. One per request. */
export interface CallContext {
  readonly requestId: string
  readonly clock: Clock
  readonly random: Random
  readonly caller: Caller
  /**
   * Itself, where it is that of a request of the platform's. A copy has the same, and so is none; one
   * of a message within another request has none. See `endsItsRequest`.
   */
  readonly root?: CallContext | undefined
  readonly facts: RequestFacts
  /** Absent where no answer has headers to tell it. */
  readonly rateLimit?: RateLimitNote
  /** Keeps the invocation alive for work behind the response. Failures become events. */
  waitUntil(work: Promise<unknown>): void
  /** See `leaveDeadline` (core/deadline.ts); nothing else touches it. */
  spare?: SpareDeadline | undefined
  /**
   * For an answer that streams: the event line waits until the returned function is called, so that
   * it can tell how the stream ended. Where several hold it, the last to let go has it written.
   * Calling a returned function again does nothing.
   */
  holdEvent(): () => void
}

/** Whether the platform's request is over with what this context is of. */
export function endsItsRequest(ctx: CallContext): boolean {
  return ctx.root === ctx
}
