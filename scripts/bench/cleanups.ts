/** What is to be undone at the end of a run, or when it is told to end. */
export interface Cleanups {
  /** Runs before those added earlier. */
  add(cleanup: () => Promise<unknown>): void
  /** Runs each once, also when one fails; throws the first failure. Idempotent. */
  run(): Promise<void>
}

/** @see Cleanups */
export function createCleanups(): Cleanups {
  const pending: (() => Promise<unknown>)[] = []
  return {
    add: (cleanup) => pending.push(cleanup),
    async run() {
      const failures: unknown[] = []
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
        await next().catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}
