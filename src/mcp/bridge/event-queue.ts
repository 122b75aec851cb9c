/** Events on their way to whoever reads them now: one reader after the other. */
export interface EventQueue {
  /**
   * The stream up to the next end. What was written before it was opened comes first.
   */
  open(): ReadableStream<Uint8Array>
  /** Waits while its reader is slow; where nobody may be reading, the oldest are dropped instead. */
  write(bytes: Uint8Array, isDroppable: boolean): Promise<void>
  /** Ends the stream that is open, or the next one, behind `last`. */
  end(last?: Uint8Array): void
}

/** Held for a reader that is slow or not there. */
const MAX_QUEUED_BYTES = 1024 * 1024

interface Item {
  readonly bytes: Uint8Array
  readonly isLast: boolean
}

/** @see EventQueue. `onLeft`: a reader went away before its stream had ended. */
export function createEventQueue(onLeft: () => void): EventQueue {
  const items: Item[] = []
  let queuedBytes = 0
  let onItem: (() => void) | undefined
  let onRoom: (() => void) | undefined

  function push(item: Item): void {
    items.push(item)
    queuedBytes += item.bytes.byteLength
    onItem?.()
  }

  function drop(): void {
    while (queuedBytes > MAX_QUEUED_BYTES) {
      const at = items.findIndex(({ isLast }) => !isLast)
      if (at < 0) return
      queuedBytes -= items.splice(at, 1)[0]?.bytes.byteLength ?? 0
    }
  }

  async function take(): Promise<Item> {
    for (;;) {
      const item = items.shift()
      if (item) {
        queuedBytes -= item.bytes.byteLength
        onRoom?.()
        return item
      }
      await new Promise<void>((resolve) => {
        onItem = resolve
      })
    }
  }

  return {
    open: () =>
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { bytes, isLast } = await take()
          if (bytes.byteLength > 0) controller.enqueue(bytes)
          if (isLast) controller.close()
        },
        cancel: onLeft,
      }),

    async write(bytes, isDroppable) {
      push({ bytes, isLast: false })
      if (isDroppable) {
        drop()
        return
      }
      while (queuedBytes > MAX_QUEUED_BYTES) {
        await new Promise<void>((resolve) => {
          onRoom = resolve
        })
      }
    },

    end(last = new Uint8Array(0)) {
      push({ bytes: last, isLast: true })
    },
  }
}
