import { writeEvent } from './event-fields.ts'

const encoder = new TextEncoder()

/** One JSON-RPC message as an event; a line break within JSON is white space. */
export function messageEvent(text: string): Uint8Array {
  const data = text.replaceAll(/\r\n?/g, '\n')
  return encoder.encode(writeEvent({ data, id: undefined, others: ['event: message'] }))
}

/**
 * A response whose events are written as `next` gives them, until it gives none. `leave` runs when
 * the reader goes away before that.
 */
export function eventResponse(
  next: () => Promise<Uint8Array | undefined>,
  leave: () => void,
): Response {
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const bytes = await next()
      if (bytes === undefined) controller.close()
      else controller.enqueue(bytes)
    },
    cancel: leave,
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}
