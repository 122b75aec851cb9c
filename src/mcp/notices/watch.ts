import { createHeldWatch, type HeldWatchDeps } from './held-watch.ts'
import { both, digestOf, isNothing, NOTHING, type Wanted } from './notice.ts'

/** Watches one upstream for as long as something of it is wanted. */
export interface Watch {
  /** From now on; nothing ends the watch. Gives what of it is told, after at most 5 s. */
  want(wanted: Wanted): Promise<Wanted>
  /** Looks whether the server is still the one that is watched. */
  look(): void
}

export interface WatchDeps extends HeldWatchDeps {
  readonly onFault: (thrown: unknown) => void
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** How long a subscriber waits to learn what is told. */
const SETTLE_MS = 5_000
/** After a fault of the gateway's own. */
const FAULT_WAIT_MS = 1_000

/** @see Watch */
export function createWatch(deps: WatchDeps): Watch {
  let wanted = NOTHING
  let told: Wanted = NOTHING
  /** What `told` is about; undefined while nothing is known. */
  let toldOf: string | undefined
  let isRunning = false
  let waiting: (() => void)[] = []
  let wake: () => void = () => undefined

  function settle(of: Wanted, next: Wanted): void {
    told = next
    toldOf = digestOf(of)
    for (const go of waiting) go()
    waiting = []
  }

  /** Until something is wanted that is not yet asked for, or the time is over, or the stream. */
  async function pause(ms: number | undefined, ended?: Promise<void>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const woken = new Promise<void>((resolve) => {
      wake = resolve
      if (ms !== undefined) timer = setTimeout(resolve, ms)
    })
    await Promise.race([woken, ...(ended ? [ended] : [])])
    clearTimeout(timer)
  }

  async function run(): Promise<void> {
    const held = createHeldWatch(deps)
    try {
      while (!isNothing(wanted)) {
        const goal = wanted
        const step = await held.reach(goal)
        settle(goal, step.told)
        // What is wanted may have changed while the upstream was asked.
        if (digestOf(goal) === digestOf(wanted)) await pause(step.waitMs, step.ended)
      }
    } finally {
      await held.close()
    }
  }

  async function runOn(): Promise<void> {
    // What is wanted again while a watch is closed begins another one.
    while (!isNothing(wanted)) {
      await run().catch((thrown) => {
        deps.onFault(thrown)
        settle(wanted, NOTHING)
        return pause(FAULT_WAIT_MS)
      })
    }
    isRunning = false
  }

  return {
    async want(next) {
      wanted = next
      if (isNothing(next)) {
        told = NOTHING
        toldOf = undefined
        wake()
        return NOTHING
      }
      if (!isRunning) {
        isRunning = true
        deps.waitUntil(runOn())
      } else if (toldOf !== digestOf(next)) wake()
      if (toldOf !== digestOf(next)) await settled()
      return toldOf === undefined ? next : both(next, toldOf === digestOf(next) ? told : next)
    },
    look: () => wake(),
  }

  async function settled(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      timer = setTimeout(resolve, SETTLE_MS)
    })
    clearTimeout(timer)
  }
}
