/**
 * The time limit of what is waited for. It has one timer however often it begins anew: a timer costs
 * a request more than most of what happens in it.
 */
export interface Deadline {
  /**
   * Aborted when the time is up, or the caller has gone. Made when it is asked for: who waits for a
   * body alone needs none.
   */
  signal(): AbortSignal
  /**
   * From now on a caller who leaves ends what is waited for, as if its time were up. It is heard once
   * the deadline has run for a while: most calls are over before, and to listen costs each of them more
   * than anything else of it but `fetch`.
   */
  hear(): void
  /** Whether it was asked to hear: then what is waited for was sent without a signal. */
  hears(): boolean
  /** Whether the caller has left, as far as he is heard; looks at once. */
  hasLeft(): boolean
  /** Whether the time was up. */
  isPassed(): boolean
  /** What the work comes to; undefined when its time is up before, or its caller has gone. One at a time. */
  within<T>(work: Promise<T>): Promise<T | undefined>
  /** Begins anew, with so much time. */
  restart(timeoutMs: number): void
  /** No limit any more; who leaves is still heard, in a body that goes on without one. Idempotent. */
  end(): void
  /** Ends it, and hears of the caller no more where it listens by itself. Idempotent. */
  release(): void
}

/** A deadline that is left to whatever its owner waits for next. */
export interface SpareDeadline {
  /** Copies of it may have another signal, or run beside each other: what they hold is not theirs. */
  readonly owner: Owner
  readonly deadline: Deadline
}

/** The context of a request. */
interface Owner {
  spare?: SpareDeadline | undefined
}

/**
 * Leaves a deadline to whatever a request, which ends with that, waits for next: one whose body has
 * come needs its timer no more. Who left it ends it, if it is not taken.
 */
export function leaveDeadline(ctx: Owner, deadline: Deadline): void {
  ctx.spare = { owner: ctx, deadline }
}

/**
 * The deadline that was left in this context, once; who takes it ends it. Undefined where it passed
 * while nobody waited under it: what comes next has not used any of its own time.
 */
export function takeDeadline(ctx: Owner): Deadline | undefined {
  const { spare } = ctx
  if (spare?.owner !== ctx) return undefined
  ctx.spare = undefined
  return spare.deadline.isPassed() ? undefined : spare.deadline
}
