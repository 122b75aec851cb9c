/** `JSON.parse`, and undefined for what is none. */
export function parseMessage(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whoever judges it calls it malformed.
    return undefined
  }
}
