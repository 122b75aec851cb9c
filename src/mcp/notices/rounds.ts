/** Work that is done in rounds, one after the other. */
export interface Rounds {
  /** There is something to do: at once, or in the round after the one that runs or rests. */
  ask(): void
}

export interface RoundsDeps {
  readonly round: () => Promise<void>
  /** From the end of one to the beginning of the next. */
  readonly restMs: number
  /** Of a round; the next one takes place all the same. */
  readonly onFault: (thrown: unknown) => void
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** @see Rounds */
export function createRounds({ round, restMs, onFault, waitUntil }: RoundsDeps): Rounds {
  let isRunning = false
  let isAsked = false

  async function run(): Promise<void> {
    // What is asked in one breath is one round.
    await passed(0)
    while (isAsked) {
      isAsked = false
      await round().catch(onFault)
      await passed(restMs)
    }
    isRunning = false
  }

  return {
    ask() {
      isAsked = true
      if (isRunning) return
      isRunning = true
      waitUntil(run())
    },
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
