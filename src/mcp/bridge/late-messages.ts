import type { Messages } from '../wire/read-messages.ts'

/** Messages of a response that has not come yet. */
export interface LateMessages {
  readonly messages: Messages
  /** It has come. */
  arrive(messages: Messages): void
}

/** Until they arrive there is silence. */
export function createLateMessages(): LateMessages {
  let arrived: Messages | undefined
  let isCancelled = false
  let onArrival: () => void = () => undefined

  async function wait(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    await new Promise<void>((resolve) => {
      onArrival = resolve
      timer = setTimeout(resolve, ms)
    })
    clearTimeout(timer)
  }

  return {
    messages: {
      position: () => arrived?.position() ?? {},

      async next(timeoutMs) {
        if (!arrived && !isCancelled) await wait(timeoutMs)
        if (isCancelled) return { kind: 'end' }
        return arrived ? arrived.next(timeoutMs) : { kind: 'silent' }
      },

      async cancel() {
        isCancelled = true
        onArrival()
        await arrived?.cancel()
      },
    },

    arrive(messages) {
      arrived = messages
      onArrival()
      if (isCancelled) void messages.cancel()
    },
  }
}
