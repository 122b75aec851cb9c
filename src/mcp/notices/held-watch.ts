import type { Clock } from '../../core/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import { declaredBy } from './declared.ts'
import { createHandover } from './handover.ts'
import {
  both,
  type Change,
  digestOf,
  either,
  isNothing,
  NOTHING,
  type Wanted,
  without,
} from './notice.ts'
import type { UpstreamWatch, WatchOpening } from './upstream-watch.ts'

/** What a watch over one upstream needs. */
export interface HeldWatchDeps {
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
  /** Something may have changed that was not heard: what is told says what could have. */
  readonly afterGap: (told: Wanted) => void
}

/** Before an upstream is asked again; doubles each time that it did not last, less by chance. */
const MIN_WAIT_MS = 1_000
const MAX_WAIT_MS = 5 * 60_000
/** A stream that lived this long was no failure. */
const LASTING_MS = 30_000
/** One that tells nothing may have learned it. */
const REFUSED_MS = 5 * 60_000

/** What came of it. */
export interface Step {
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
  readonly ended: Promise<void>
  hasEnded: boolean
}

/** Holds one watch over an upstream, and finds the way back when it is lost. */
export function createHeldWatch(deps: HeldWatchDeps) {
  let held: Held | undefined
  /** What was to be told and was not listened to. */
  let missed = NOTHING
  let failures = 0
  /** The upstream is left alone until then, unless it is another one, or is asked for something else. */
  let rest: { readonly of: string; readonly until: number; readonly told: Wanted } | undefined

  const handover = createHandover({
    clock: deps.clock,
    hear: deps.hear,
    // A list is looked at: nobody has to be told again of what is as it was.
    hearAgain(change) {
      if (change.kind === 'list') deps.afterGap({ lists: [change.list], uris: [] })
    },
  })

  async function leave(): Promise<void> {
    const leaving = held
    held = undefined
    await leaving?.watch.close()
  }

  /** What stands in the registry no longer is heard no longer, even when there is no other yet. */
  async function leaveOther(key: string): Promise<void> {
    if (!held || held.key === key) return
    missed = either(missed, held.told)
    await leave()
  }

  function restFor(of: string, ms: number, told: Wanted): Step {
    rest = { of, until: deps.clock.now() + ms, told }
    return resting(told, ms)
  }

  /** Meanwhile what is held, if anything is, goes on. */
  function resting(told: Wanted, waitMs: number): Step {
    return { told, waitMs, ...(held ? { ended: held.ended } : {}) }
  }

  function backOff(of: string, told: Wanted): Step {
    missed = either(missed, held ? without(told, held.told) : told)
    const ms = Math.min(MIN_WAIT_MS * 2 ** failures, MAX_WAIT_MS)
    failures += 1
    return restFor(of, ms * (0.5 + deps.chance() / 2), told)
  }

  function hold(watch: UpstreamWatch, key: string, asked: string): Held {
    const since = deps.clock.now()
    const ended = watch.ended.then(() => {
      mine.hasEnded = true
    })
    const mine: Held = { watch, key, since, asked, told: watch.told, ended, hasEnded: false }
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
      if (rest && isResting && restMs > 0) {
        await leaveOther(key)
        return resting(both(ask, rest.told), restMs)
      }
      const opening = await deps.open(server, ask, handover.listener())
      if (opening.kind !== 'open') await leaveOther(key)
      if (opening.kind === 'refused') {
        return restFor(`${key}${asked}`, REFUSED_MS, held ? both(ask, held.told) : NOTHING)
      }
      if (opening.kind === 'failed') return backOff(key, ask)
      // The new one first, so that nothing is lost between the two.
      await leave()
      const now = hold(opening.watch, key, asked)
      const gap = both(now.told, missed)
      missed = NOTHING
      if (!isNothing(gap)) deps.afterGap(gap)
      return going(now)
    },
  }
}

function going({ told, ended }: Held): Step {
  return { told, ended }
}

/** A server at another address, of another era or with other headers is watched anew. */
function keyOf({ endpoints, headers, upstream }: ServerRecord): string {
  return JSON.stringify([endpoints.map(({ url }) => url), headers, upstream.eras])
}
