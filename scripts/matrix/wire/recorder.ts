import { createParser } from 'eventsource-parser'
import { type Message, messagesIn } from './json.ts'

/** One HTTP exchange, as far as it has come. */
export interface Exchange {
  /** HTTP method. */
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The message of the body; undefined where it holds none. */
  readonly sent: Message | undefined
  /** 0 until the answer began. */
  readonly status: number
  readonly answerHeaders: Readonly<Record<string, string>>
  /** The messages of the answer so far, in order. */
  readonly received: readonly Message[]
  /** `cut`: whoever asked went away, or the answer broke off. */
  readonly state: 'waiting' | 'open' | 'ended' | 'cut'
}

/** Serves a request, or sends one. */
export type Handle = (request: Request) => Promise<Response>

/** Sees all that passes, at either end of the wire, and changes nothing. */
export interface Recorder {
  /** Since the start, in the order in which the requests came. */
  readonly exchanges: readonly Exchange[]
  around(handle: Handle): Handle
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
interface Entry extends Omit<Writable<Exchange>, 'received'> {
  readonly received: Message[]
}

/** @see Recorder */
export function createRecorder(): Recorder {
  const exchanges: Entry[] = []
  return {
    exchanges,
    around: (handle) => async (request) => {
      const body = await request.clone().text()
      const entry: Entry = {
        method: request.method,
        headers: Object.fromEntries(request.headers),
        body,
        sent: messagesIn(body)[0],
        status: 0,
        answerHeaders: {},
        received: [],
        state: 'waiting',
      }
      exchanges.push(entry)
      try {
        return watched(entry, await handle(request))
      } catch (error) {
        entry.state = 'cut'
        throw error
      }
    },
  }
}

/** The same answer, whose body is noted as it flows. */
function watched(entry: Entry, response: Response): Response {
  entry.status = response.status
  entry.answerHeaders = Object.fromEntries(response.headers)
  if (!response.body) {
    entry.state = 'ended'
    return response
  }
  entry.state = 'open'
  const reader = readerOf(entry)
  const decoder = new TextDecoder()
  const source = response.body.getReader()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await source.read()
        if (!done) {
          reader.take(decoder.decode(value, { stream: true }))
          controller.enqueue(value)
          return
        }
        reader.end()
        entry.state = 'ended'
        controller.close()
      } catch (error) {
        entry.state = 'cut'
        controller.error(error)
      }
    },
    async cancel(reason) {
      entry.state = 'cut'
      await source.cancel(reason)
    },
  })
  const { status, statusText, headers } = response
  return new Response(body, { status, statusText, headers })
}

/** Takes the text of an answer, and adds its messages to the entry as soon as they are whole. */
function readerOf(entry: Entry): { take(text: string): void; end(): void } {
  if (entry.answerHeaders['content-type']?.startsWith('text/event-stream')) {
    const parser = createParser({
      onEvent: ({ data }) => entry.received.push(...messagesIn(data)),
    })
    return { take: (text) => parser.feed(text), end() {} }
  }
  let whole = ''
  return {
    take(text) {
      whole += text
    },
    end: () => void entry.received.push(...messagesIn(whole)),
  }
}
