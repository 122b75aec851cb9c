import type { CallContext } from '../../core/index.ts'
import { concat } from '../wire/bytes.ts'
import { EVENT_STREAM_HEADERS } from '../wire/event-headers.ts'
import { createKeepAlive, KEEP_ALIVE, type KeepAlive } from '../wire/keep-alive.ts'
import { createMessageTime, type MessageTime } from '../wire/message-time.ts'
import { type Chunk, openSource, type Source, type Step } from '../wire/pump.ts'
import { errorMessage } from '../wire/reply.ts'
import { DEFAULT_STREAM_BOUNDS } from '../wire/stream-bounds.ts'
import { fellSilent, lostAnswer, tooLong, tooSlow } from './answer-errors.ts'
import type { AnswerPlan, LostAnswer } from './answer-rules.ts'
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
  const until = ctx.clock.now() + MAX_ANSWER_MS
  const flow = openFlow(ctx, plan, body)
  const read = patientReader(flow)
  return respond(flow, () => nextOfAnswer(flow, read, until))
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
  const flow = openFlow(ctx, plan, body)
  const until = ctx.clock.now() + boundsOf(plan).maxMs
  return respond(flow, () => nextOfOpen(flow, plan, until))
}

/** One stream on its way. */
interface Flow {
  readonly ctx: CallContext
  readonly plan: AnswerPlan
  readonly source: Source
  readonly time: MessageTime
  readonly gate: EventGate
  readonly life: KeepAlive
}

function openFlow(ctx: CallContext, plan: AnswerPlan, body: ReadableStream<Uint8Array>): Flow {
  const source = openSource(body, plan.timeoutMs)
  return {
    ctx,
    plan,
    source,
    time: createMessageTime(ctx.clock, source, boundsOf(plan).messageMs),
    gate: createEventGate(ctx, plan),
    life: createKeepAlive(ctx.clock),
  }
}

/** What came, or that nothing did for as long as a server may be silent. */
type Patient = Chunk | { readonly kind: 'mute' }

/** Reads until a sign of life is due. */
function patientReader({ plan, source, time, gate, life }: Flow): () => Promise<Patient> {
  const idleMs = plan.isBridged ? MAX_ANSWER_MS : plan.timeoutMs
  let silentMs = 0
  return async () => {
    if (gate.passed.isAnswered) return source.readWithin(LINGER_MS)
    const restMs = idleMs - silentMs
    // Inside an event nothing else may be written.
    const waitMs = gate.isWithinLarge() ? restMs : Math.min(restMs, life.dueInMs())
    const chunk = await time.readWithin(waitMs, gate.begun())
    silentMs = chunk.kind === 'silent' ? silentMs + waitMs : 0
    return silentMs >= idleMs ? { kind: 'mute' } : chunk
  }
}

async function nextOfAnswer(
  flow: Flow,
  read: () => Promise<Patient>,
  until: number,
): Promise<Step> {
  const { ctx, plan, gate } = flow
  const { passed } = gate
  const chunk = await read()
  const isIdle = chunk.kind === 'silent' && !passed.isAnswered
  const bytes = await bytesOf(flow, chunk, isIdle)
  const isLate = !passed.isAnswered && ctx.clock.now() > until
  if (isLate) {
    const error = tooLong(plan.server, MAX_ANSWER_MS / 60_000)
    return withError(flow, bytes, { error, isBounded: passed.isBounded })
  }
  if ((isIdle || chunk.kind === 'data') && !passed.broken) return { bytes }
  if (passed.isAnswered) return { bytes, end: passed.isFaulty ? 'faulty' : 'complete' }
  if (plan.isCancelled?.()) {
    ctx.facts.outcome = 'cancelled'
    return { bytes, end: 'complete' }
  }
  // The client comes back for the rest (MCP 2025-11-25, Resumability and Redelivery).
  if (passed.isResumable && !passed.isFaulty && chunk.kind === 'complete') {
    return { bytes, end: 'suspended' }
  }
  return withError(flow, bytes, whyLost(flow, chunk))
}

function whyLost({ plan, gate, time }: Flow, { kind }: Patient): LostAnswer {
  const { broken, isBounded } = gate.passed
  const { server, timeoutMs } = plan
  if (time.isLate()) {
    return { error: tooSlow(server, boundsOf(plan).messageMs / 1_000), isBounded }
  }
  const lateAfterMs = plan.lateAfterMs?.()
  // Before what the gate says of an event that was cut off by it.
  if (kind === 'mute' && lateAfterMs === undefined) {
    return { error: fellSilent(server, timeoutMs / 1_000), isBounded: false }
  }
  if (broken) return { error: broken, isBounded }
  return plan.lostBecause?.() ?? { error: lostAnswer(server, lateAfterMs), isBounded }
}

async function nextOfOpen(flow: Flow, plan: OpenPlan, until: number): Promise<Step> {
  const { ctx, time, gate, life } = flow
  const { passed } = gate
  // Inside an event nothing else may be written, so there silence is the server's alone to end.
  const idleMs = gate.isWithinLarge() ? plan.timeoutMs : life.dueInMs()
  const chunk = await time.readWithin(passed.isAnswered ? LINGER_MS : idleMs, gate.begun())
  const isIdle = chunk.kind === 'silent' && !passed.isAnswered && !gate.isWithinLarge()
  if ((isIdle || chunk.kind === 'data') && !(await plan.mayGoOn())) {
    return { bytes: NOTHING, end: endOf(plan, gate) }
  }
  const bytes = await bytesOf(flow, chunk, isIdle)
  if ((isIdle || chunk.kind === 'data') && !passed.broken) {
    // Between two messages, as if its server had ended it: the client opens another one.
    const isOver = ctx.clock.now() > until && gate.begun() === undefined
    return isOver ? { bytes, end: endOf(plan, gate) } : { bytes }
  }
  const end = endOf(plan, gate)
  if (end === 'suspended' && passed.broken) {
    return withError(flow, bytes, { error: passed.broken, isBounded: passed.isBounded })
  }
  // However it ended: the client opens another one when it wants.
  return { bytes, end: passed.isFaulty ? 'faulty' : end }
}

/** What is to be written of a chunk, or to show that the stream lives. */
async function bytesOf({ gate, life }: Flow, chunk: Patient, isIdle: boolean): Promise<Uint8Array> {
  if (isIdle) return KEEP_ALIVE
  if (chunk.kind !== 'data') return gate.end()
  const bytes = await gate.write(chunk.bytes)
  const isSilent = bytes.byteLength === 0 && !gate.isWithinLarge()
  return isSilent && life.isDue() ? KEEP_ALIVE : bytes
}

/** How an open stream ends that broke no rule. */
function endOf({ upstreamId }: AnswerPlan, { passed }: EventGate): 'suspended' | 'complete' {
  return upstreamId !== undefined && !passed.isAnswered ? 'suspended' : 'complete'
}

/** The last event of a stream that owes an answer, so that no client waits for it. */
function withError({ ctx, plan }: Flow, bytes: Uint8Array, { error, isBounded }: LostAnswer): Step {
  ctx.facts.outcome = error.code
  const message = errorMessage(error, plan.clientId, ctx.requestId)
  const last = new TextEncoder().encode(`event: message\ndata: ${message}\n\n`)
  return { bytes: concat([bytes, last]), end: isBounded ? 'bounded' : 'broken' }
}

function boundsOf({ bounds = DEFAULT_STREAM_BOUNDS }: AnswerPlan) {
  return bounds
}

function respond({ ctx, plan, source, life }: Flow, next: () => Promise<Step>): Response {
  async function noted(): Promise<Step> {
    const step = await next()
    if (step.bytes.byteLength > 0) life.wrote()
    return step
  }
  const { stallMs } = boundsOf(plan)
  return new Response(heldBody(ctx, { source, next: noted, stallMs, onEnd: plan.onEnd }), {
    headers: {
      ...plan.headers,
      ...EVENT_STREAM_HEADERS,
    },
  })
}
