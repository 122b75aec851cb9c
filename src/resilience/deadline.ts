/** How long a call may take in all: its retries, and its answer until the last byte. */

/** Of one call, however often it is sent. */
export interface CallDeadline {
  readonly ms: number
  /** When it was first sent, epoch ms. */
  startedAt?: number
}

/** A deadline that runs. */
export interface RunningDeadline {
  /** Aborted when the time is over, and when the caller leaves. */
  readonly signal: AbortSignal
  isPassed(): boolean
  /** At least 0. */
  leftMs(now: number): number
  /** The call is over. */
  end(): void
}

/** Lets the rest of the deadline run; all of it, when the call is sent for the first time. */
export function runDeadline(
  deadline: CallDeadline,
  caller: AbortSignal,
  now: number,
): RunningDeadline {
  deadline.startedAt ??= now
  const endsAt = deadline.startedAt + deadline.ms
  const own = new AbortController()
  const leftMs = (at: number): number => Math.max(0, endsAt - at)
  const timer = setTimeout(() => own.abort(new Error('deadline passed')), leftMs(now))
  return {
    signal: AbortSignal.any([caller, own.signal]),
    isPassed: () => own.signal.aborted,
    leftMs,
    end: () => clearTimeout(timer),
  }
}

/** The body, which breaks off when the signal is aborted, wherever it comes from. */
export function cutOff(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let stopListening = (): void => undefined
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const cut = (): void => {
          // An error twice, or after the end, is none.
          controller.error(signal.reason)
          reader.cancel(signal.reason).catch(() => undefined)
        }
        if (signal.aborted) cut()
        else signal.addEventListener('abort', cut, { once: true })
        stopListening = () => signal.removeEventListener('abort', cut)
      },
      async pull(controller) {
        const { done, value } = await reader.read().catch((thrown: unknown) => {
          stopListening()
          throw thrown
        })
        if (signal.aborted) return
        if (!done) return controller.enqueue(value)
        stopListening()
        controller.close()
      },
      cancel(reason) {
        stopListening()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
