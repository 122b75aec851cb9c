import type { CallContext, Caller, Clock, Random, RequestFacts } from '../core/index.ts'
import { type Events, emitFault } from '../observability/index.ts'

/** What a request is known by before anything of it is judged. */
export interface LineRequest {
  readonly requestId: string
  readonly httpMethod: string
  /** Whose `signal` tells that the caller left; looked at when it is asked for. */
  readonly caller: Caller
  /** It is a request of the platform's, no message within one. */
  readonly isRoot?: true
  /** The platform's; what is handed over here never rejects. */
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** A request and its one event line. */
export interface EventLine {
  readonly call: CallContext
  /** Its answer has begun: the line is written as soon as nobody holds it (any more). */
  answered(status: number): void
}

/** Every member, found or not. */
type RequestLine = {
  readonly type: 'request'
  readonly requestId: string
  readonly httpMethod: string
  status: number
  durationMs: number
} & { [Name in keyof Required<RequestFacts>]: RequestFacts[Name] }

/** Gives a request its context, and writes its event line when the answer has ended. */
export function createEventLine(
  deps: { readonly clock: Clock; readonly random: Random; readonly events: Events },
  request: LineRequest,
): EventLine {
  const { clock, random, events } = deps
  const { requestId, httpMethod, caller } = request
  const startedAt = clock.now()
  let holds = 0
  let isWritten = false
  let status: number | undefined
  const line = emptyLine(requestId, httpMethod)

  const emit = (): void => {
    if (holds > 0 || status === undefined || isWritten) return
    isWritten = true
    line.status = status
    line.durationMs = clock.now() - startedAt
    line.outcome ??= 'ok'
    events.emit(line)
  }
  const call: CallContext & { root?: CallContext | undefined } = {
    requestId,
    clock,
    random,
    caller,
    root: undefined,
    facts: line,
    rateLimit: { left: undefined, policy: undefined, state: undefined },
    spare: undefined,
    waitUntil(work) {
      const report = (thrown: unknown) => emitFault(events, { requestId }, 'behind', thrown)
      request.waitUntil(work.catch(report))
    },
    holdEvent() {
      holds += 1
      let isReleased = false
      return () => {
        if (isReleased) return
        isReleased = true
        holds -= 1
        emit()
      }
    },
  }
  if (request.isRoot) call.root = call
  return {
    call,
    answered(begunWith) {
      status = begunWith
      emit()
    },
  }
}

/**
 * Facts are found on the way and written into their line at once. With every member there is from the
 * start, whether it is found or not, a line is laid out once, and nothing has to be copied.
 */
function emptyLine(requestId: string, httpMethod: string): RequestLine {
  return {
    type: 'request',
    requestId,
    httpMethod,
    status: 0,
    durationMs: 0,
    outcome: undefined,
    route: undefined,
    principal: undefined,
    tenant: undefined,
    server: undefined,
    candidates: undefined,
    endpoint: undefined,
    method: undefined,
    tool: undefined,
    era: undefined,
    upstreamMs: undefined,
    attempts: undefined,
    messages: undefined,
  }
}
