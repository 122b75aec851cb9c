/** A pipe that hands on what is written. */
export interface CuttablePipe {
  readonly readable: ReadableStream<Uint8Array>
  readonly writer: WritableStreamDefaultWriter<Uint8Array>
  /** Breaks it, with a write that waits for its reader: `writer.abort` would wait for that write. */
  cut(): void
}

export function createCuttablePipe(): CuttablePipe {
  let controller: TransformStreamDefaultController<Uint8Array> | undefined
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start(given) {
      controller = given
    },
  })
  return {
    readable,
    writer: writable.getWriter(),
    cut: () => controller?.error(new Error('nobody reads')),
  }
}
