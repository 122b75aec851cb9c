import { setBounded } from '../../core/index.ts'

/**
 * Streams of sessions that clients have asked for and that were not asked of their servers yet. A
 * server may ask its client on that stream alone, and asks nobody where there is none: so what the
 * client says after it in the session must not overtake it.
 */
export interface OpeningStreams {
  /** A stream of this session (by its key) is on its way; gives what says that it was sent, or will not be. */
  begin(session: string): () => void
  /** Settles when the stream that is on its way was sent, 1 s later at most; undefined without one. */
  settled(session: string): Promise<void> | undefined
}

/** Past it nobody waits any more: whoever was to open the stream may have been dropped. */
const MAX_WAIT_MS = 1_000
const MAX_SESSIONS = 1_000

/** @see OpeningStreams. One for all endpoints of an isolate; others are not known of. */
export function createOpeningStreams(): OpeningStreams {
  const opening = new Map<string, Promise<void>>()

  function forget(session: string, sent: Promise<void>): void {
    if (opening.get(session) === sent) opening.delete(session)
  }

  return {
    begin(session) {
      const { promise: sent, resolve } = Promise.withResolvers<void>()
      setBounded(opening, session, sent, MAX_SESSIONS)
      return () => {
        forget(session, sent)
        resolve()
      }
    },

    settled(session) {
      const sent = opening.get(session)
      return sent && atMost(sent, () => forget(session, sent))
    },
  }
}

function atMost(sent: Promise<void>, onLate: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      onLate()
      resolve()
    }, MAX_WAIT_MS)
    void sent.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
