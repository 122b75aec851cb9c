/**
 * How long an upstream is waited for that is told something and asked nothing (a session is over,
 * a log level changed), however patient its `timeoutMs` is.
 */
export const COURTESY_MS = 5_000

/** Of one invocation, which has six fetches that wait for headers. */
const MAX_AT_ONCE = 4

/**
 * Tells each of them, at most 4 at once, and waits at most 5 s for each: what one of them does not
 * take never keeps it from the others. `signal` ends with the wait. Never throws.
 */
export async function tellAll<T>(
  items: readonly T[],
  tell: (item: T, signal: AbortSignal) => Promise<void>,
  onFault: (thrown: unknown) => void,
): Promise<void> {
  const queue = items.map((item) => () => within(tell, item).catch(onFault))
  async function work(): Promise<void> {
    for (let next = queue.shift(); next; next = queue.shift()) await next()
  }
  await Promise.all(Array.from({ length: MAX_AT_ONCE }, work))
}

async function within<T>(
  tell: (item: T, signal: AbortSignal) => Promise<void>,
  item: T,
): Promise<void> {
  // Not AbortSignal.timeout, which nothing ends early.
  const tooLong = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const late = new Error(`nothing was heard within ${COURTESY_MS} ms`)
      reject(late)
      tooLong.abort(late)
    }, COURTESY_MS)
  })
  try {
    await Promise.race([tell(item, tooLong.signal), deadline])
  } finally {
    clearTimeout(timer)
  }
}
