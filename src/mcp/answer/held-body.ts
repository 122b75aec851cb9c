import type { CallContext } from '../../core/index.ts'
import { type PumpOptions, pump } from '../wire/pump.ts'

/** A pumped body; the event line of its request waits for its end. */
export function heldBody(
  ctx: CallContext,
  { source, next, onEnd }: Omit<PumpOptions, 'signal'>,
): ReadableStream<Uint8Array> {
  const release = ctx.holdEvent()
  return pump({
    source,
    signal: ctx.signal,
    next,
    onEnd(end) {
      onEnd(end)
      release()
    },
  })
}
