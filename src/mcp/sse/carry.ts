import { type CallContext, GatewayError } from '../../core/index.ts'
import type { EventMerger } from '../wire/merge-events.ts'
import { errorMessage } from '../wire/reply.ts'
import type { Handed } from './handed.ts'
import { messageEvents } from './message-events.ts'

/** Hands the answer to what a client posted to its stream. */
export interface Carrier {
  /** Settles when all of it has been written, or nobody reads any more. `onMessage` sees each. */
  (
    ctx: CallContext,
    handed: Handed,
    answer: Response,
    onMessage?: (json: string) => Promise<string | undefined>,
  ): Promise<void>
  /** An error of ours as the answer. */
  error(ctx: CallContext, handed: Pick<Handed, 'id'>, error: GatewayError): Promise<void>
}

export interface CarrierDeps {
  readonly merger: EventMerger
  /** What comes behind an event of a stream that ended without its answer. */
  readonly resume: (lastEventId: string) => Promise<Response>
}

/** Before a stream is resumed that its server ended (MCP 2025-11-25, Resumability and Redelivery). */
const RESUME_WAIT_MS = 1_000
/** Of one answer; a server that ends its streams more often answers never. */
const MAX_RESUMES = 30

/**
 * A client of 2024-11-05 can resume nothing: where one of Streamable HTTP would come back for the
 * rest of an answer, this does it. An answer that does not come whole becomes an error, so that
 * nobody waits for it.
 */
export function createCarrier({ merger, resume }: CarrierDeps): Carrier {
  async function carry(
    ctx: CallContext,
    handed: Handed,
    answer: Response,
    onMessage?: (json: string) => Promise<string | undefined>,
  ): Promise<void> {
    let response = answer
    for (let resumes = 0; ; resumes += 1) {
      const events = messageEvents(response, onMessage ? { onMessage } : {})
      await merger.add(events.readable)
      // What of a batch was not answered cannot be told from outside; its messages are on their own.
      if (merger.isOver() || events.isAnswered() || handed.kind === 'batch') return
      const lastEventId = events.lastEventId()
      if (lastEventId === undefined || resumes === MAX_RESUMES) break
      await new Promise((resolve) => setTimeout(resolve, RESUME_WAIT_MS))
      if (merger.isOver()) return
      response = await resume(lastEventId)
      if (response.ok) continue
      await response.body?.cancel()
      break
    }
    await error(ctx, handed, lost())
  }

  async function error(
    ctx: CallContext,
    { id = 'null' }: Pick<Handed, 'id'>,
    problem: GatewayError,
  ): Promise<void> {
    // Of a batch that is refused as a whole, no message has an answer of its own.
    const message = errorMessage(problem, id, ctx.requestId)
    const { body } = new Response(`event: message\ndata: ${message}\n\n`)
    if (body) await merger.add(body)
  }

  return Object.assign(carry, { error })
}

function lost(): GatewayError {
  return new GatewayError('upstream_failed', 'The connection broke before the answer was complete.')
}
