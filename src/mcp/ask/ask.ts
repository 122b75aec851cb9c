import {
  type CallContext,
  callerFacts,
  ERROR_WIRE,
  type ErrorCode,
  GatewayError,
  isPlainObject,
  type Principal,
  type RequestFacts,
} from '../../core/index.ts'
import { ADMITTED, type Limits } from '../../limits/index.ts'
import type { ServerRecord } from '../../registry/index.ts'
import type { HttpVerb } from '../http-verb.ts'
import { requireAnswer } from './ask-answer.ts'
import {
  type ClientMessage,
  endRequest,
  type Leg,
  messageRequest,
  REQUEST_ID,
} from './ask-request.ts'

/** What a server said: its result, or its own JSON-RPC error, which is no fault of the gateway. */
export type Answer =
  | {
      readonly kind: 'result'
      readonly result: Record<string, unknown>
      /** Characters that carried it. */
      readonly chars: number
      /** Of the session that `initialize` opened. */
      readonly sessionId?: string
    }
  | {
      readonly kind: 'error'
      readonly code: number
      readonly message: string
      readonly data?: unknown
    }

/**
 * A client of our own relay, in this process: so policy, breakers, sessions and the event line
 * apply to surfaces that are not MCP themselves. What the gateway refuses is thrown as it was.
 */
export interface Ask {
  /** `maxBytes` bounds the answer; 8 MiB by default. Throws what the relay refused with. */
  request(
    ctx: CallContext,
    principal: Principal,
    server: ServerRecord,
    leg: Leg,
    request: ClientMessage,
    maxBytes?: number,
  ): Promise<Answer>
  /** Sends a message that nothing answers. */
  notify(
    ctx: CallContext,
    principal: Principal,
    server: ServerRecord,
    leg: Leg,
    notification: ClientMessage,
  ): Promise<void>
  /** Ends a legacy session, upstream behind the response; nothing for a leg without one. */
  end(ctx: CallContext, principal: Principal, path: string, leg: Leg): Promise<void>
}

/** Everything that one answer may hold. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024

/** For a relay whose callers have spent their permit already; not that of what they ask for. */
export function permitSpent({ admitTarget }: Limits): Limits {
  return { admit: () => ADMITTED, admitTarget }
}

/** One of our own endpoints, as far as asking it goes. */
export interface AskedEndpoint {
  /** One message. */
  post: HttpVerb
  /** Ends a legacy session. */
  delete: HttpVerb
}

export interface AskDeps {
  readonly endpoint: () => AskedEndpoint
}

/** @see Ask */
export function createAsk({ endpoint }: AskDeps): Ask {
  async function end(
    ctx: CallContext,
    principal: Principal,
    path: string,
    leg: Leg,
  ): Promise<void> {
    if (leg.sessionId === undefined) return
    const response = await endpoint().delete(
      { ...ctx, facts: callerFacts(ctx.facts) },
      principal,
      path,
      endRequest(leg),
    )
    await response.body?.cancel()
  }

  async function post(
    ctx: CallContext,
    principal: Principal,
    server: ServerRecord,
    request: Request,
  ): Promise<{ response: Response; facts: RequestFacts }> {
    // The relay's own facts tell a refusal of ours from an error of the upstream.
    const facts = callerFacts(ctx.facts)
    const response = await endpoint().post({ ...ctx, facts }, principal, server.path, request)
    return { response, facts }
  }

  return {
    end,

    async request(ctx, principal, server, leg, request, maxBytes = MAX_ANSWER_BYTES) {
      const posted = messageRequest(server, leg, request, REQUEST_ID)
      const { response, facts } = await post(ctx, principal, server, posted)
      const sessionId = response.headers.get('mcp-session-id') ?? undefined
      let found = facts
      try {
        const { message, chars } = await requireAnswer(response, REQUEST_ID, maxBytes, () => {
          // Leaving a stream behind its answer would look like leaving before it.
          found = { ...facts }
        })
        return answerOf(message, chars, response, found, sessionId)
      } catch (thrown) {
        // Nobody will learn of a session that its own answer did not reach.
        if (sessionId !== undefined) {
          ctx.waitUntil(end(ctx, principal, server.path, { ...leg, sessionId }))
        }
        throw thrown
      } finally {
        Object.assign(ctx.facts, found)
      }
    },

    async notify(ctx, principal, server, leg, notification) {
      const posted = messageRequest(server, leg, notification)
      const { response, facts } = await post(ctx, principal, server, posted)
      if (!response.ok) {
        const { message: reply } = await requireAnswer(response, null, MAX_ANSWER_BYTES)
        answerOf(reply, 0, response, facts, undefined)
        throw new GatewayError('upstream_failed', `The server refused ${notification.method}.`)
      }
      await response.body?.cancel()
    },
  }
}

function answerOf(
  { result, error }: Record<string, unknown>,
  chars: number,
  response: Response,
  facts: RequestFacts,
  sessionId: string | undefined,
): Answer {
  if (isPlainObject(error)) {
    const refusal = refusalOf(error, response, facts)
    if (refusal) throw refusal
    const { code, message, data } = error
    return {
      kind: 'error',
      code: typeof code === 'number' ? code : -32603,
      message: typeof message === 'string' ? message : '',
      ...(data === undefined ? {} : { data }),
    }
  }
  return {
    kind: 'result',
    result: isPlainObject(result) ? result : {},
    chars,
    ...(sessionId === undefined ? {} : { sessionId }),
  }
}

/** The error that the relay rendered; undefined for one that it relayed. */
function refusalOf(
  error: Record<string, unknown>,
  response: Response,
  { outcome }: RequestFacts,
): GatewayError | undefined {
  if (outcome === undefined || !OWN_OUTCOMES.has(outcome)) return undefined
  const { code, fix, requestId: _, ...data } = isPlainObject(error['data']) ? error['data'] : {}
  const headers = Object.fromEntries(
    [...response.headers].filter(([name]) => PASSED_HEADERS.has(name)),
  )
  return new GatewayError(isErrorCode(code) ? code : 'internal', String(error['message']), {
    ...(typeof fix === 'string' ? { fix } : {}),
    headers,
    data,
  })
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_WIRE, value)
}

const OWN_OUTCOMES: ReadonlySet<string> = new Set([...Object.keys(ERROR_WIRE), 'cancelled'])
const PASSED_HEADERS: ReadonlySet<string> = new Set(['retry-after', 'www-authenticate'])
