import { type Clock, setBounded } from '../../core/index.ts'
import type { Change } from './notice.ts'

/** One change may be said on two streams of a server while one takes over from the other. */
export interface Handover {
  /** For each stream that is opened, what hears it. */
  listener(): (change: Change) => void
}

export interface HandoverDeps {
  readonly clock: Clock
  readonly hear: (change: Change) => void
  /** What another stream said just before: the same change, as far as anybody can know. */
  readonly hearAgain: (change: Change) => void
}

/** A server says a change on both streams at once; what comes later than this is another one. */
const OVERLAP_MS = 250
/** Changes remembered; oldest out. */
const MAX_REMEMBERED = 1_000

/** What a stream has said and another one has not: how often, and when last, epoch ms. */
interface Said {
  readonly stream: number
  readonly times: number
  readonly at: number
}

/** @see Handover */
export function createHandover({ clock, hear, hearAgain }: HandoverDeps): Handover {
  const said = new Map<string, Said>()
  let streams = 0
  return {
    listener() {
      streams += 1
      const stream = streams
      return (change) => {
        const key = JSON.stringify(change)
        const at = clock.now()
        const known = said.get(key)
        const isYoung = known !== undefined && at - known.at <= OVERLAP_MS
        if (isYoung && known.stream !== stream) {
          if (known.times > 1) said.set(key, { ...known, times: known.times - 1 })
          else said.delete(key)
          return hearAgain(change)
        }
        const times = isYoung ? known.times + 1 : 1
        setBounded(said, key, { stream, times, at }, MAX_REMEMBERED)
        hear(change)
      }
    },
  }
}
