import { isPlainObject } from '../../core/index.ts'
import { judge } from '../answer/judge.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import type { Messages } from '../wire/read-messages.ts'
import type { HeldCall } from './bridge-state.ts'
import { refusalOf } from './input-required.ts'
import type { ParkedCall } from './parked-call.ts'
import { takeUp } from './take-up.ts'

/**
 * What a legacy server says in a session besides its answers: some ask their client on this stream
 * although a request of it is what they ask for.
 */
export interface SessionStream {
  /** Settles when the server has opened it, or will not (soon). Never rejects. */
  readonly opened: Promise<void>
  stop(): Promise<void>
}

export interface SessionStreamDeps {
  readonly outbound: UpstreamOutbound
  readonly held: HeldCall
  /** The call that a question is for, as far as anybody can tell. */
  youngest(): ParkedCall | undefined
  everyone(): readonly ParkedCall[]
  /** Sends a message in the session. Never rejects. */
  post(text: string): Promise<boolean>
  waitUntil(work: Promise<unknown>): void
}

/** Some servers say nothing at all, headers included, before they have something to say. */
const OPENING_MS = 500
/** A stream on which nothing is said is no fault. */
const LISTEN_MS = 60_000

/** @see SessionStream */
export function openSessionStream(deps: SessionStreamDeps): SessionStream {
  const over = new AbortController()

  async function listen(opening: Promise<Messages | undefined>): Promise<void> {
    const messages = await opening
    while (messages && !over.signal.aborted) {
      const heard = await messages.next(LISTEN_MS)
      if (heard.kind === 'silent') continue
      if (heard.kind !== 'message') return
      await tell(heard.text, heard.message)
    }
  }

  async function tell(text: string, message: unknown): Promise<void> {
    const { kind } = judge(message, undefined)
    if (kind === 'request') {
      const call = deps.youngest()
      if (call) await call.ask(text)
      else await deps.post(refusalOf(text))
    } else if (isPlainObject(message) && message['method'] === 'notifications/message') {
      for (const call of deps.everyone()) call.log(text, message)
    }
  }

  const opening = takeUp(deps.outbound, deps.held, undefined, over.signal)
  deps.waitUntil(listen(opening).catch(() => undefined))
  return {
    opened: within(OPENING_MS, opening),
    async stop() {
      over.abort()
      await (await opening)?.cancel()
    },
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
