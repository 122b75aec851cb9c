import { stopEveryChild } from '../start/child.ts'

/** What is to be undone at the end of a run, or when it is told to end. */
export interface Cleanups {
  /** Runs before those added earlier. */
  add(cleanup: () => Promise<unknown>): void
  /**
   * Runs each once, also when one fails; throws the first failure. Called again meanwhile (a signal,
   * and the run that it broke), it waits for the same end.
   */
  run(): Promise<void>
}

/**
 * Undoes what the work has added, however it ends. A failure of the work is what is thrown; one of a
 * cleanup is printed beside it. SIGINT and SIGTERM undo as well, end every child and the process (1).
 */
export async function withCleanups<T>(work: (cleanups: Cleanups) => Promise<T>): Promise<T> {
  const cleanups = createCleanups()
  const onSignal = (): void => void endProcess(cleanups)
  for (const signal of SIGNALS) process.once(signal, onSignal)
  try {
    const result = await work(cleanups).catch(async (error: unknown) => {
      await cleanups.run().catch(sayFailure)
      throw error
    })
    await cleanups.run()
    return result
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

async function endProcess(cleanups: Cleanups): Promise<void> {
  await Promise.all([cleanups.run().catch(sayFailure), stopEveryChild().catch(sayFailure)])
  process.exit(1)
}

function sayFailure(error: unknown): void {
  console.error('could not clean up:', error)
}

/** @see Cleanups */
export function createCleanups(): Cleanups {
  const pending: (() => Promise<unknown>)[] = []
  let running: Promise<void> | undefined

  async function runAll(): Promise<void> {
    const failures: unknown[] = []
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      await next().catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures[0]
  }

  return {
    add: (cleanup) => pending.push(cleanup),
    run() {
      running ??= runAll().finally(() => {
        running = undefined
      })
      return running
    },
  }
}
