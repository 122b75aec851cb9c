/** Something that is run when it is its turn. */
export interface Turn {
  /** By which it can be taken back while it waits. */
  readonly id?: string
  /** Nothing behind it starts before its first half is done. */
  readonly isFirst?: boolean
  /** Settles when it is over. `opened` is called when the first half of it is done. Never rejects. */
  run(opened: () => void): Promise<void>
  /** It will never run. */
  skipped(): void
}

/** Runs what comes in the order in which it came, and not all of it at once. */
export interface Turns {
  /** False when too many wait: then it is not taken. */
  take(turn: Turn): boolean
  /** Takes back what has this id and still waits; false when nothing does. */
  drop(id: string): boolean
  /** Nothing runs, nothing waits. */
  isIdle(): boolean
  /** Nothing is started any more. */
  stop(): void
}

export interface TurnsOptions {
  readonly waitUntil: (work: Promise<unknown>) => void
  /** Turns in their first half. */
  readonly maxOpening: number
  readonly maxRunning: number
  readonly maxWaiting: number
  /** A turn is over. */
  readonly onOver?: () => void
}

/** @see Turns */
export function createTurns(options: TurnsOptions): Turns {
  const { waitUntil, maxOpening, maxRunning, maxWaiting, onOver } = options
  const waiting: Turn[] = []
  let opening = 0
  let running = 0
  let isHeld = false
  let isStopped = false

  function startNext(): void {
    while (!isStopped && !isHeld && opening < maxOpening && running < maxRunning) {
      const turn = waiting.shift()
      if (!turn) return
      waitUntil(start(turn))
    }
  }

  async function start(turn: Turn): Promise<void> {
    opening += 1
    running += 1
    if (turn.isFirst) isHeld = true
    let isOpen = false
    const opened = (): void => {
      if (isOpen) return
      isOpen = true
      opening -= 1
      if (turn.isFirst) isHeld = false
      startNext()
    }
    await turn.run(opened)
    running -= 1
    opened()
    startNext()
    onOver?.()
  }

  return {
    take(turn) {
      if (isStopped || waiting.length >= maxWaiting) return false
      waiting.push(turn)
      startNext()
      return true
    },

    drop(id) {
      const at = waiting.findIndex((turn) => turn.id === id)
      const [dropped] = at === -1 ? [] : waiting.splice(at, 1)
      dropped?.skipped()
      return dropped !== undefined
    },

    isIdle: () => running === 0 && waiting.length === 0,

    stop() {
      isStopped = true
      for (const turn of waiting.splice(0)) turn.skipped()
    },
  }
}
