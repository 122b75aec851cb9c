import type { IncomingHttpHeaders, ServerResponse } from 'node:http'

/** The streams that clients opened by GET in one room, and what waits to be resumed there. */
export interface Streams {
  /** Whether GET opens any. */
  isOffered: boolean
  open: ServerResponse[]
  /** By event id: what comes behind it. */
  readonly parked: Map<string, string>
}

/** What `POST /control` says of streams. */
export interface StreamMood {
  readonly offersStreams?: boolean
  /** Writes to the open streams; `{n}` stands for the number of each, from 0. */
  readonly say?: string
  readonly closeStreams?: true
}

export function newStreams(): Streams {
  return { isOffered: true, open: [], parked: new Map() }
}

/** Answers GET: a stream that stays open, or the rest of one that was parked. */
export function serveStream(
  streams: Streams,
  headers: IncomingHttpHeaders,
  response: ServerResponse,
): void {
  if (!streams.isOffered) return void response.writeHead(405).end()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const rest = streams.parked.get(String(headers['last-event-id']))
  if (rest !== undefined) return void response.end(rest)
  response.flushHeaders()
  streams.open.push(response)
  response.on('close', () => {
    streams.open = streams.open.filter((one) => one !== response)
  })
}

/** @see StreamMood */
export function directStreams(streams: Streams, mood: StreamMood): void {
  if (mood.offersStreams !== undefined) streams.isOffered = mood.offersStreams
  for (const [index, response] of streams.open.entries()) {
    if (mood.say !== undefined) response.write(mood.say.replaceAll('{n}', String(index)))
    if (mood.closeStreams) response.end()
  }
}
