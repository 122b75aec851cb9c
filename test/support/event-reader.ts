/** Reads a text/event-stream event by event. */
export interface EventReader {
  /** The next event without its blank line; undefined at the end. */
  next(): Promise<string | undefined>
  cancel(): Promise<void>
}

/** @see EventReader */
export function readEvents(response: Response): EventReader {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end !== -1) {
          const event = text.slice(0, end)
          text = text.slice(end + 2)
          return event
        }
        const read = await reader?.read()
        if (!read || read.done) return undefined
        text += decoder.decode(read.value, { stream: true })
      }
    },
    async cancel() {
      await reader?.cancel()
    },
  }
}

/** The message of the next event that has one; undefined at the end. */
export async function nextMessage(
  events: EventReader,
): Promise<Record<string, unknown> | undefined> {
  for (;;) {
    const event = await events.next()
    if (event === undefined) return undefined
    const data = /^data: (.*)$/m.exec(event)?.[1]
    if (data !== undefined) return JSON.parse(data)
  }
}
