import type { CallContext } from '../../core/index.ts'
import { type PumpOptions, pump } from '../wire/pump.ts'

/** A pumped body; the event line of its request waits for its end. */
export function heldBody(
  ctx: CallContext,
  { onEnd, ...options }: Omit<PumpOptions, 'signal' | 'onStall'>,
): ReadableStream<Uint8Array> {
  const release = ctx.holdEvent()
  let isStalled = false
  return pump({
    ...options,
    signal: ctx.caller.signal,
    onStall() {
      isStalled = true
    },
    onEnd(end) {
      onEnd(end)
      if (isStalled) ctx.facts.outcome = 'stalled'
      release()
    },
  })
}
