import type { Heard, Messages } from './read-messages.ts'

/** How a stream is taken up again that ended before it gave its answer. */
export interface Resuming {
  /** What comes behind that event; undefined when it cannot be had. Never rejects. */
  resume(lastEventId: string): Promise<Messages | undefined>
}

/** What a server asks for that says nothing, and what it may ask for. */
const WAIT_MS = 1_000
const MAX_WAIT_MS = 10_000
/** Of one answer; a server that ends its streams more often answers never. */
const MAX_RESUMES = 100

/**
 * The messages of a stream whose server may end it to be asked for the rest (MCP 2025-11-25,
 * Resumability and Redelivery).
 */
export function resumedMessages(first: Messages, { resume }: Resuming): Messages {
  let messages = first
  let resumes = 0
  let isCancelled = false

  /** False when there is no rest to be had. */
  async function takeUp(): Promise<boolean> {
    const { lastEventId, retryMs = WAIT_MS } = messages.position()
    if (lastEventId === undefined || resumes === MAX_RESUMES || isCancelled) return false
    resumes += 1
    await new Promise((resolve) => setTimeout(resolve, Math.min(retryMs, MAX_WAIT_MS)))
    if (isCancelled) return false
    const rest = await resume(lastEventId)
    if (!rest) return false
    await messages.cancel()
    messages = rest
    if (isCancelled) await rest.cancel()
    return !isCancelled
  }

  return {
    position: () => messages.position(),

    async next(timeoutMs): Promise<Heard> {
      for (;;) {
        const heard = await messages.next(timeoutMs)
        const isOver = heard.kind === 'end' || heard.kind === 'broken'
        if (!isOver || !(await takeUp())) return heard
      }
    },

    async cancel() {
      isCancelled = true
      await messages.cancel()
    },
  }
}
