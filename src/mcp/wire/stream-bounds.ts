/** How long streams may take, whoever is slow. A deployment's variables set them (`env.ts`). */
export interface StreamBounds {
  /** What was handed on may wait so long to be read (a quarter more at most); then it is cut. */
  readonly stallMs: number
  /**
   * How long the rest of one message may be waited for. A byte now and then is no silence, so
   * silence alone bounds nothing.
   */
  readonly messageMs: number
  /** The life of a stream that a client opened to be told things. */
  readonly maxMs: number
}

/** As long as a proxy such as nginx waits for a reader (`send_timeout`), and as a session lives. */
export const DEFAULT_STREAM_BOUNDS: StreamBounds = {
  stallMs: 60_000,
  messageMs: 60_000,
  maxMs: 24 * 60 * 60_000,
}
