import { setTimeout as wait } from 'node:timers/promises'
import type { Cleanups } from '../workerd/cleanups.ts'

/** Waits, then runs what is given. A signal that aborts meanwhile rejects, and nothing runs. */
export async function after(
  ms: number,
  run?: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  await wait(ms, undefined, signal && { signal })
  await run?.()
}

/**
 * Parts that run at once; gives the result of the first. When one fails, or the cleanups run, the
 * signal ends what the others wait for, and what they have begun is waited for.
 */
export async function allOrNone<T>(
  cleanups: Pick<Cleanups, 'add'>,
  begin: (signal: AbortSignal) => readonly [Promise<T>, ...Promise<unknown>[]],
): Promise<T> {
  const ending = new AbortController()
  const parts = begin(ending.signal)
  const end = (): Promise<unknown> => {
    ending.abort()
    return Promise.allSettled(parts)
  }
  cleanups.add(end)
  try {
    const [first] = await Promise.all(parts)
    return first
  } finally {
    await end()
  }
}
