import { ask, requestOf } from './handshake.ts'
import type { Line } from './line.ts'
import type { LinkRequest } from './link-request.ts'

/** Tells a connection that leads nowhere from one whose server is slow: both are open. */
export interface Liveness {
  /** Whether the server says anything within the time that it has for any request. */
  isAlive(line: Line, way: Way): Promise<boolean>
  /** To be called when a request goes out. */
  mark(line: Line): Mark
  /**
   * For a request that was left unanswered. When nothing at all came since it went out, the server
   * is asked whether it lives, and the connection closed when it says nothing to that either. One
   * question at a time for each connection. Never rejects.
   */
  doubt(line: Line, mark: Mark, way: Way): Promise<void>
}

/** How it was with a connection at a moment. */
export interface Mark {
  /** Epoch ms. */
  readonly at: number
  readonly heard: number
}

type Way = Pick<LinkRequest, 'headers' | 'timeoutMs'>

/** Clients change their minds: a silence shorter than this means nothing. */
const SILENCE_MS = 5_000

/** @see Liveness */
export function createLiveness(now: () => number): Liveness {
  const asked = new WeakSet<Line>()

  async function isAlive(line: Line, { headers, timeoutMs }: Way): Promise<boolean> {
    const before = line.heard()
    // Not with the signal of who asks: that one client has left means nothing for the others.
    const answer = await ask(line, requestOf('ping', {}), { headers, timeoutMs })
    return answer.kind === 'answered' || line.heard() > before
  }

  return {
    isAlive,
    mark: (line) => ({ at: now(), heard: line.heard() }),

    async doubt(line, { at, heard }, way) {
      const isShort = now() - at < Math.min(SILENCE_MS, way.timeoutMs)
      if (isShort || line.heard() > heard || !line.isOpen() || asked.has(line)) return
      asked.add(line)
      if (!(await isAlive(line, way))) line.close()
      asked.delete(line)
    },
  }
}
