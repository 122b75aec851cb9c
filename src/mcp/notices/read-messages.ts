import { isPlainObject } from '../../core/index.ts'
import { readEvent } from '../wire/event-fields.ts'
import { createEventSplitter } from '../wire/event-splitter.ts'
import type { Source } from '../wire/pump.ts'

/** Of a message that says that something changed; a larger one says something else. */
const MAX_EVENT_BYTES = 64 * 1024
/**
 * A stream that was silent for so long may have been lost without a word, comments included: it is
 * opened again.
 */
const SILENT_MS = 15 * 60_000

/**
 * Reads a server's stream of events until it ends, breaks, or is silent for 15 minutes. Whatever is
 * no JSON-RPC message of at most 64 KiB is passed over; elements of a batch are given one by one.
 * Never rejects.
 */
export async function readMessages(
  source: Source,
  onMessage: (message: Readonly<Record<string, unknown>>) => void,
): Promise<void> {
  const splitter = createEventSplitter(MAX_EVENT_BYTES)
  for (;;) {
    const chunk = await source.readWithin(SILENT_MS)
    if (chunk.kind !== 'data') break
    for (const piece of splitter.split(chunk.bytes)) {
      if (piece.kind !== 'event') continue
      const data = readEvent(piece.bytes)?.data
      for (const message of messagesIn(data)) onMessage(message)
    }
  }
  await source.cancel()
}

function messagesIn(data: string | undefined): Record<string, unknown>[] {
  if (data === undefined || data === '') return []
  try {
    const value: unknown = JSON.parse(data)
    return (Array.isArray(value) ? value : [value]).filter(isPlainObject)
  } catch {
    // Not a message: it says nothing.
    return []
  }
}
