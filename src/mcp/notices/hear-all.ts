import { isPlainObject } from '../../core/index.ts'
import type { Messages } from '../wire/read-messages.ts'

/** Of one message: what says that something changed is small, and a log line is not much larger. */
export const MAX_HEARD_BYTES = 1024 * 1024
/**
 * A stream that was silent for so long may have been lost without a word, comments included: it is
 * opened again.
 */
const SILENT_MS = 15 * 60_000

/**
 * Hears a server's stream until it ends, breaks, says something too large, or is silent for 15
 * minutes. What is no JSON-RPC message is passed over; `raw` is its text. Never rejects.
 */
export async function hearAll(
  messages: Messages,
  onMessage: (message: Readonly<Record<string, unknown>>, raw: string) => void,
): Promise<void> {
  for (;;) {
    const heard = await messages.next(SILENT_MS).catch(() => undefined)
    if (heard?.kind !== 'message') break
    if (isPlainObject(heard.message)) onMessage(heard.message, heard.text)
  }
  await messages.cancel()
}
