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

/** Bytes that wait for slow readers, of one object with its 128 MB. */
export interface Backlog {
  bytes: number
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

  function drop(): void {
    queue = []
    backlog.bytes -= waiting
    waiting = 0
  }

  function over(): void {
    isOver = true
    wake?.()
  }

  function breakOff(): void {
    drop()
    over()
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
          waiting -= next.byteLength
          backlog.bytes -= next.byteLength
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
      if (waiting > MAX_WAITING_BYTES || backlog.bytes > MAX_BACKLOG_BYTES) {
        // Who does not read must not cost the others their connection.
        breakOff()
        onLeave()
        return
      }
      const bytes = encoder.encode(eventOf(text))
      waiting += bytes.byteLength
      backlog.bytes += bytes.byteLength
      queue.push(bytes)
      wake?.()
    },
    end: over,
    // Its end without an answer says it: an error would be one of this object, too.
    fail: breakOff,
  }
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
