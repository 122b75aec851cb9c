import { type CallContext, GatewayError } from '../../core/index.ts'
import { concat } from '../wire/bytes.ts'
import { KEEP_ALIVE, KEEP_ALIVE_MS } from '../wire/keep-alive.ts'
import { openSource, type Source, type Step } from '../wire/pump.ts'
import { errorMessage } from '../wire/reply.ts'
import type { AnswerPlan } from './answer-rules.ts'
import { createEventGate, type EventGate } from './event-gate.ts'
import { heldBody } from './held-body.ts'

/** After its answer a stream has nothing more to say; a server that keeps it open is not waited for. */
const LINGER_MS = 1_000
/** Progress keeps a call alive, and not for ever (MCP 2025-11-25, Progress and Timeouts). */
const MAX_ANSWER_MS = 60 * 60_000
const NOTHING = new Uint8Array(0)

/** What a stream needs that a client opened. */
export type OpenPlan = AnswerPlan & Required<Pick<AnswerPlan, 'mayGoOn'>>

/**
 * Relays the stream that answers one request: it ends with the answer, or with an error. A call is
 * not cut when its caller loses a right meanwhile: what he might do when it began takes effect at
 * the server whether he reads of it or not, and the next request is judged anew.
 */
export function answerStream(
  ctx: CallContext,
  plan: AnswerPlan,
  body: ReadableStream<Uint8Array>,
): Response {
  const source = openSource(body, plan.timeoutMs)
  const gate = createEventGate(ctx, plan)
  const until = ctx.clock.now() + MAX_ANSWER_MS
  return respond(ctx, plan, source, () => nextOfAnswer(ctx, plan, source, gate, until))
}

/**
 * Relays a stream that a client opened by GET, for as long as both sides keep it open and the client
 * may hear it. It answers a request only where it goes on with the stream of one.
 */
export function openStream(
  ctx: CallContext,
  plan: OpenPlan,
  body: ReadableStream<Uint8Array>,
): Response {
  const source = openSource(body, plan.timeoutMs)
  const gate = createEventGate(ctx, plan)
  return respond(ctx, plan, source, () => nextOfOpen(ctx, plan, source, gate))
}

async function nextOfAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  source: Source,
  gate: EventGate,
  until: number,
): Promise<Step> {
  const { passed } = gate
  const chunk = passed.isAnswered ? await source.readWithin(LINGER_MS) : await source.read()
  if (chunk.kind === 'data' && plan.mayGoOn && !(await plan.mayGoOn())) {
    return { bytes: NOTHING, end: 'complete' }
  }
  const bytes = chunk.kind === 'data' ? await gate.write(chunk.bytes) : gate.end()
  const isLate = !passed.isAnswered && ctx.clock.now() > until
  if (isLate) return withError(ctx, plan, bytes, tooLong(plan.server))
  if (chunk.kind === 'data' && !passed.isBroken) return { bytes }
  if (passed.isAnswered) return { bytes, end: passed.isFaulty ? 'faulty' : 'complete' }
  // The client comes back for the rest (MCP 2025-11-25, Resumability and Redelivery).
  if (passed.isResumable && !passed.isFaulty && chunk.kind === 'complete') {
    return { bytes, end: 'suspended' }
  }
  return withError(ctx, plan, bytes, lostAnswer(plan.server))
}

async function nextOfOpen(
  ctx: CallContext,
  plan: OpenPlan,
  source: Source,
  gate: EventGate,
): Promise<Step> {
  const { passed } = gate
  // Inside an event nothing else may be written, so there silence is the server's alone to end.
  const idleMs = gate.isWithinLarge() ? plan.timeoutMs : KEEP_ALIVE_MS
  const chunk = await source.readWithin(passed.isAnswered ? LINGER_MS : idleMs)
  const isIdle = chunk.kind === 'silent' && !passed.isAnswered && !gate.isWithinLarge()
  if ((isIdle || chunk.kind === 'data') && !(await plan.mayGoOn())) {
    return { bytes: NOTHING, end: endOf(plan, gate) }
  }
  if (isIdle) return { bytes: KEEP_ALIVE }
  const bytes = chunk.kind === 'data' ? await gate.write(chunk.bytes) : gate.end()
  if (chunk.kind === 'data' && !passed.isBroken) return { bytes }
  const end = endOf(plan, gate)
  if (end === 'suspended' && passed.isBroken) {
    return withError(ctx, plan, bytes, lostAnswer(plan.server))
  }
  // However it ended: the client opens another one when it wants.
  return { bytes, end: passed.isFaulty ? 'faulty' : end }
}

/** How an open stream ends that broke no rule. */
function endOf({ upstreamId }: AnswerPlan, { passed }: EventGate): 'suspended' | 'complete' {
  return upstreamId !== undefined && !passed.isAnswered ? 'suspended' : 'complete'
}

/** The last event of a stream that owes an answer, so that no client waits for it. */
function withError(
  ctx: CallContext,
  plan: AnswerPlan,
  bytes: Uint8Array,
  error: GatewayError,
): Step {
  ctx.facts.outcome = error.code
  const message = errorMessage(error, plan.clientId, ctx.requestId)
  const last = new TextEncoder().encode(`event: message\ndata: ${message}\n\n`)
  return { bytes: concat([bytes, last]), end: 'broken' }
}

function respond(
  ctx: CallContext,
  plan: AnswerPlan,
  source: Source,
  next: () => Promise<Step>,
): Response {
  return new Response(heldBody(ctx, { source, next, onEnd: plan.onEnd }), {
    headers: {
      ...plan.headers,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

/** The caller's view of an answer that did not come, or not whole. */
export function lostAnswer(server: string): GatewayError {
  return new GatewayError(
    'upstream_failed',
    `The server "${server}" closed the connection before its answer was complete.`,
    { fix: 'Whether the request took effect is unknown; check before you send it again.' },
  )
}

function tooLong(server: string): GatewayError {
  return new GatewayError(
    'upstream_timeout',
    `The server "${server}" did not finish within ${MAX_ANSWER_MS / 60_000} minutes.`,
  )
}
