import { setBounded } from '../../core/index.ts'

/**
 * Streams of sessions that clients have asked for and that were not asked of their servers yet. A
 * server may ask its client on that stream alone, and asks nobody where there is none: so what the
 * client says after it in the session must not overtake it.
 */
export interface OpeningStreams {
  /**
   * A stream of this session is on its way; gives what says that it was sent, or will not be. A
   * second time that does nothing, nor does it without a session.
   */
  begin(session: OfSession): () => void
  /** Settles when all that are on their way were sent, 1 s later at most; undefined without one. */
  settled(session: OfSession): Promise<void> | undefined
}

type OfSession = { readonly key: string } | undefined

/** Past it nobody waits any more: whoever was to open the stream may have been dropped. */
const MAX_WAIT_MS = 1_000
const MAX_SESSIONS = 1_000

/**
 * What the streams of one session keep shut. Its promise is of the request that came first; others
 * only follow it, each under a timer of its own, so that it may go with its request.
 */
interface Gate {
  onTheirWay: number
  readonly opened: Promise<void>
  readonly open: () => void
}

/** @see OpeningStreams. One for all endpoints of an isolate; others are not known of. */
export function createOpeningStreams(): OpeningStreams {
  const gates = new Map<string, Gate>()

  function forget(key: string, gate: Gate): void {
    if (gates.get(key) === gate) gates.delete(key)
  }

  return {
    begin(session) {
      if (!session) return () => undefined
      const { key } = session
      const gate = gates.get(key) ?? newGate()
      gate.onTheirWay += 1
      setBounded(gates, key, gate, MAX_SESSIONS)
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        gate.onTheirWay -= 1
        if (gate.onTheirWay > 0) return
        forget(key, gate)
        gate.open()
      }
    },

    settled(session) {
      const gate = session && gates.get(session.key)
      return gate && atMost(gate.opened, () => forget(session.key, gate))
    },
  }
}

function newGate(): Gate {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  return { onTheirWay: 0, opened, open }
}

function atMost(opened: Promise<void>, onLate: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      onLate()
      resolve()
    }, MAX_WAIT_MS)
    void opened.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
