import type { Clock } from '../../core/index.ts'
import type { Chunk, Source } from './pump.ts'

/** Reads of which the waits within one message add up. */
export interface MessageTime {
  /**
   * Like `source.readWithin`; `broken` when the rest of a message is waited for too long. `begun`
   * names the message whose end is still to come; undefined for none.
   */
  readWithin(timeoutMs: number, begun: number | undefined): Promise<Chunk>
  /** Whether that is why the last read was `broken`. */
  isLate(): boolean
}

/**
 * Silence bounds no message that drips. Only what is waited for the server counts: where a slow
 * reader is the reason, the next chunk is there already.
 */
export function createMessageTime(clock: Clock, source: Source, messageMs: number): MessageTime {
  let current: number | undefined
  let waitedMs = 0
  let isLate = false
  return {
    isLate: () => isLate,
    async readWithin(timeoutMs, begun) {
      if (begun === undefined) {
        current = undefined
        return source.readWithin(timeoutMs)
      }
      if (begun !== current) waitedMs = 0
      current = begun
      const since = clock.now()
      const chunk = await source.readWithin(timeoutMs)
      waitedMs += clock.now() - since
      isLate = chunk.kind !== 'complete' && waitedMs > messageMs
      return isLate ? { kind: 'broken' } : chunk
    },
  }
}
