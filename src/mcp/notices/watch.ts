import type { Clock } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import { declaredBy } from './declared.ts'
import { both, type Change, digestOf, isNothing, NOTHING, type Wanted } from './notice.ts'
import type { UpstreamWatch, WatchOpening } from './upstream-watch.ts'

/** Watches one upstream for as long as something of it is wanted. */
export interface Watch {
  /** From now on; nothing ends the watch. Gives what of it is told, after at most 5 s. */
  want(wanted: Wanted): Promise<Wanted>
  /** Looks whether the server is still the one that is watched. */
  look(): void
}

export interface WatchDeps {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly chance: () => number
  /** The server by the registry of now; undefined when it is gone or disabled. */
  readonly load: () => Promise<ServerRecord | undefined>
  readonly open: (
    server: ServerRecord,
    wanted: Wanted,
    hear: (change: Change) => void,
  ) => Promise<WatchOpening>
  readonly hear: (change: Change) => void
  /** Something may have changed while nobody listened: what is told says what could have. */
  readonly afterGap: (told: Wanted) => void
  readonly onFault: (thrown: unknown) => void
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** How long a subscriber waits to learn what is told. */
const SETTLE_MS = 5_000
/** Before an upstream is asked again; doubles each time that it did not last, less by chance. */
const MIN_WAIT_MS = 1_000
const MAX_WAIT_MS = 5 * 60_000
/** A stream that lived this long was no failure. */
const LASTING_MS = 30_000
/** One that tells nothing may have learned it. */
const REFUSED_MS = 5 * 60_000

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
    const held = holding(deps)
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
        return pause(MIN_WAIT_MS)
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

interface Step {
  readonly told: Wanted
  /** Until it is tried again; undefined while it goes well. */
  readonly waitMs?: number
  readonly ended?: Promise<void>
}

/** The one upstream watch that is held. */
interface Held {
  readonly watch: UpstreamWatch
  readonly key: string
  /** Epoch ms. */
  readonly since: number
  asked: string
  told: Wanted
  hasEnded: boolean
}

/** Holds a watch, and finds the way back when it is lost. */
function holding(deps: WatchDeps) {
  let held: Held | undefined
  let hasGap = false
  let failures = 0
  /** The upstream is left alone until then, unless it is another one, or is asked for something else. */
  let rest: { readonly of: string; readonly until: number; readonly told: Wanted } | undefined

  async function leave(): Promise<void> {
    const leaving = held
    held = undefined
    await leaving?.watch.close()
  }

  function restFor(of: string, ms: number, told: Wanted): Step {
    rest = { of, until: deps.clock.now() + ms, told }
    return { told, waitMs: ms }
  }

  function backOff(of: string, told: Wanted): Step {
    const ms = Math.min(MIN_WAIT_MS * 2 ** failures, MAX_WAIT_MS)
    failures += 1
    hasGap = true
    return restFor(of, ms * (0.5 + deps.chance() / 2), told)
  }

  function hold(watch: UpstreamWatch, key: string, asked: string): Held {
    const since = deps.clock.now()
    const mine: Held = { watch, key, since, asked, told: watch.told, hasEnded: false }
    held = mine
    return mine
  }

  return {
    close: leave,

    /** Brings what is asked of the upstream to what is wanted. */
    async reach(goal: Wanted): Promise<Step> {
      const server = await deps.load()
      const ask = server ? declaredBy(server.upstream, goal) : NOTHING
      if (!server || isNothing(ask)) {
        await leave()
        // It may come back, or be another one after it was asked anew.
        return { told: NOTHING, waitMs: REFUSED_MS }
      }
      const key = keyOf(server)
      const asked = digestOf(ask)
      if (held?.hasEnded) {
        const { since, told } = held
        if (deps.clock.now() - since >= LASTING_MS) failures = 0
        await leave()
        return backOff(key, both(ask, told))
      }
      if (held?.key === key && held.asked !== asked && held.watch.change) {
        held.asked = asked
        held.told = await held.watch.change(ask)
      }
      if (held?.key === key && held.asked === asked) return going(held)
      const isResting = rest && (rest.of === key || rest.of === `${key}${asked}`)
      const restMs = (rest?.until ?? 0) - deps.clock.now()
      if (rest && isResting && restMs > 0) return { told: both(ask, rest.told), waitMs: restMs }
      const opening = await deps.open(server, ask, deps.hear)
      // The new one first: between the two nothing is lost, and hardly anything is heard twice.
      await leave()
      if (opening.kind === 'refused') return restFor(`${key}${asked}`, REFUSED_MS, NOTHING)
      if (opening.kind === 'failed') return backOff(key, ask)
      const now = hold(opening.watch, key, asked)
      if (hasGap) deps.afterGap(now.told)
      hasGap = false
      return going(now)
    },
  }
}

function going(held: Held): Step {
  const ended = held.watch.ended.then(() => {
    held.hasEnded = true
  })
  return { told: held.told, ended }
}

/** A server at another address, of another era or with other headers is watched anew. */
function keyOf({ endpoints, headers, upstream }: ServerRecord): string {
  return JSON.stringify([endpoints.map(({ url }) => url), headers, upstream.eras])
}
