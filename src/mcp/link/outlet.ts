/** Where messages for one hearer go. */
export interface Sink {
  /** One message. */
  write(text: string): void
  /** Nothing more comes. */
  end(): void
  /** What was promised cannot come any more. */
  fail(): void
}

/** A sink that is read as a stream of events. */
export interface Outlet extends Sink {
  readonly readable: ReadableStream<Uint8Array>
}

/** What waits for slow readers, of one object with its 128 MB. */
export interface Backlog {
  bytes: number
  /** By what ends it: the bytes that wait for one reader. */
  readonly waiting: Map<() => void, number>
}

export function createBacklog(): Backlog {
  return { bytes: 0, waiting: new Map() }
}

/**
 * What may wait for one reader before another message is added: a message is at most 32 MiB, and
 * may come whole.
 */
const MAX_WAITING_BYTES = 8 * 1024 * 1024
/** For all readers of an object together. */
const MAX_BACKLOG_BYTES = 48 * 1024 * 1024

/** @see Outlet. `onLeave` is called once when its reader goes before the end. */
export function createOutlet(backlog: Backlog, onLeave: () => void): Outlet {
  const encoder = new TextEncoder()
  let queue: Uint8Array[] = []
  let waiting = 0
  let isOver = false
  let wake: (() => void) | undefined

  function count(bytes: number): void {
    waiting += bytes
    backlog.bytes += bytes
    if (waiting > 0) backlog.waiting.set(giveUp, waiting)
    else backlog.waiting.delete(giveUp)
  }

  function drop(): void {
    queue = []
    count(-waiting)
  }

  function over(): void {
    isOver = true
    wake?.()
  }

  function breakOff(): void {
    drop()
    over()
  }

  function giveUp(): void {
    breakOff()
    onLeave()
  }

  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (queue.length === 0 && !isOver) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        const next = queue.shift()
        if (next) {
          count(-next.byteLength)
          controller.enqueue(next)
        } else controller.close()
      },
      cancel() {
        const isEarly = !isOver
        breakOff()
        if (isEarly) onLeave()
      },
    },
    { highWaterMark: 0 },
  )

  return {
    readable,
    write(text) {
      if (isOver) return
      // Who does not read must not cost the others their connection.
      if (waiting > MAX_WAITING_BYTES) return giveUp()
      while (backlog.bytes > MAX_BACKLOG_BYTES && backlog.waiting.size > 0) slowestOf(backlog)()
      if (isOver) return
      const bytes = encoder.encode(eventOf(text))
      queue.push(bytes)
      count(bytes.byteLength)
      wake?.()
    },
    end: over,
    // Its end without an answer says it: an error would be one of this object, too.
    fail: breakOff,
  }
}

/** What ends the stream for which most waits: not always the one that is written to. */
function slowestOf({ waiting }: Backlog): () => void {
  const [slowest] = [...waiting].sort(([, one], [, other]) => other - one)
  return slowest ? slowest[0] : () => undefined
}

/** A line break between the tokens of a message would end its line. */
function eventOf(text: string): string {
  return `event: message\ndata: ${text.replace(/\r\n|\r|\n/g, '\ndata: ')}\n\n`
}

/** The one answer to a request of the gateway's own, or of a client that says hello. */
export interface Reply extends Sink {
  /** The last message; undefined when there is none. */
  readonly text: Promise<string | undefined>
}

/** @see Reply */
export function createReply(): Reply {
  let resolve: (text: string | undefined) => void = () => undefined
  const text = new Promise<string | undefined>((settle) => {
    resolve = settle
  })
  let last: string | undefined
  return {
    text,
    write(message) {
      last = message
    },
    end: () => resolve(last),
    fail: () => resolve(undefined),
  }
}
