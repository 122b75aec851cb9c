import { createLayoutKeeper, isPlainObject } from '../../core/index.ts'

const keepMessage = createLayoutKeeper()

/** `JSON.parse`, and undefined for what is none. */
export function parseMessage(text: string): unknown {
  try {
    const message: unknown = JSON.parse(text)
    if (isPlainObject(message)) keepMessage(message, text.length)
    return message
  } catch {
    // Whoever judges it calls it malformed.
    return undefined
  }
}
