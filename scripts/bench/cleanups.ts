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
