/** Something that is run when it is its turn. */
export interface Turn {
  /** By which it can be taken back while it waits. */
  readonly id?: string
  /** Nothing behind it starts before its first half is done. */
  readonly isFirst?: boolean
  /** What it holds in memory until it is over, in whatever unit. */
  readonly weight: number
  /** Settles when it is over. `opened` is called when the first half of it is done. Never rejects. */
  run(opened: () => void): Promise<void>
  /** It will never run. */
  skipped(): void
}

/** Runs what comes in the order in which it came, and not all of it at once. */
export interface Turns {
  /** False when too many wait, or all together weigh too much: then it is not taken. */
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
  /** Of what waits and what runs. One that is heavier is taken when it is alone. */
  readonly maxWeight: number
  /** A turn is over. */
  readonly onOver?: () => void
}

/** @see Turns */
export function createTurns(options: TurnsOptions): Turns {
  const { waitUntil, maxOpening, maxRunning, onOver } = options
  const waiting: Turn[] = []
  let opening = 0
  let running = 0
  let weight = 0
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
    weight -= turn.weight
    opened()
    startNext()
    onOver?.()
  }

  return {
    take(turn) {
      const isTooHeavy = weight > 0 && weight + turn.weight > options.maxWeight
      if (isStopped || waiting.length >= options.maxWaiting || isTooHeavy) return false
      weight += turn.weight
      waiting.push(turn)
      startNext()
      return true
    },

    drop(id) {
      const at = waiting.findIndex((turn) => turn.id === id)
      const [dropped] = at === -1 ? [] : waiting.splice(at, 1)
      if (!dropped) return false
      weight -= dropped.weight
      dropped.skipped()
      return true
    },

    isIdle: () => running === 0 && waiting.length === 0,

    stop() {
      isStopped = true
      for (const turn of waiting.splice(0)) turn.skipped()
    },
  }
}
