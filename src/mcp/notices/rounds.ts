/** Work that is done in rounds, one after the other. */
export interface Rounds {
  /** There is something to do: at once, or in the round after the one that runs or rests. */
  ask(): void
}

export interface RoundsDeps {
  readonly round: () => Promise<void>
  /** After so many in a short while there is one in each of these. */
  readonly restMs: number
  /** Of a round; the next one takes place all the same. */
  readonly onFault: (thrown: unknown) => void
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** A server that changes several things one after the other has each of them told at once. */
const MAX_RECENT = 4

/** @see Rounds */
export function createRounds({ round, restMs, onFault, waitUntil }: RoundsDeps): Rounds {
  let isRunning = false
  /** Rounds of which a rest has not passed yet. */
  let recent = 0
  let isAsked = false

  async function run(): Promise<void> {
    // What is asked in one breath is one round.
    await passed(0)
    while (isAsked) {
      isAsked = false
      recent += 1
      setTimeout(() => {
        recent -= 1
      }, restMs * recent)
      await round().catch(onFault)
      while (recent >= MAX_RECENT) await passed(restMs)
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
