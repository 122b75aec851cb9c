/** A second copy of a request that takes too long, where sending twice does no harm. */

export interface HedgePlan<T> {
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal
  /** How long the first copy has for itself. */
  readonly afterMs: number
  run(copy: 'first' | 'second', signal: AbortSignal): Promise<T>
  /** Asked when the time is over. */
  mayHedge(): boolean
  isGood(result: T): boolean
  /** Lets go of a result that nobody waits for. */
  discard(result: T): void
  /** Keeps the copy alive that lost, until it has ended. */
  waitUntil(work: Promise<unknown>): void
}

type Settled<T> =
  | { readonly kind: 'result'; readonly copy: 0 | 1; readonly result: T }
  | { readonly kind: 'thrown'; readonly copy: 0 | 1; readonly thrown: unknown }

/**
 * Runs the first copy and, when it has not ended in time, a second one beside it. The first good
 * result wins, and the other copy is aborted. Without a good one, the first copy's holds.
 */
export async function hedge<T>(plan: HedgePlan<T>): Promise<T> {
  const aborts = [new AbortController(), new AbortController()] as const
  const start = async (copy: 0 | 1): Promise<Settled<T>> => {
    const signal = AbortSignal.any([plan.signal, aborts[copy].signal])
    try {
      const result = await plan.run(copy === 0 ? 'first' : 'second', signal)
      return { kind: 'result', copy, result }
    } catch (thrown) {
      return { kind: 'thrown', copy, thrown }
    }
  }
  const first = start(0)
  const early = await settledWithin(first, plan.afterMs)
  if (early) return resultOf(early)
  if (plan.signal.aborted || !plan.mayHedge()) return resultOf(await first)

  const second = start(1)
  const faster = await Promise.race([first, second])
  const slower = faster.copy === 0 ? second : first
  const isGood = (of: Settled<T>): boolean => of.kind === 'result' && plan.isGood(of.result)
  const drop = (of: Settled<T>): void => {
    if (of.kind === 'result') plan.discard(of.result)
  }
  if (isGood(faster)) {
    aborts[faster.copy === 0 ? 1 : 0].abort()
    plan.waitUntil(slower.then(drop))
    return resultOf(faster)
  }
  const other = await slower
  const kept = isGood(other) || other.copy === 0 ? other : faster
  drop(kept === other ? faster : other)
  return resultOf(kept)
}

function resultOf<T>(settled: Settled<T>): T {
  if (settled.kind === 'thrown') throw settled.thrown
  return settled.result
}

/** Undefined when the work has not ended by then. */
async function settledWithin<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
