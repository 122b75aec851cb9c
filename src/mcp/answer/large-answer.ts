import type { CallContext } from '../../core/index.ts'
import { createJsonEditor } from '../wire/json-editor.ts'
import type { Source, Step } from '../wire/pump.ts'
import { type AnswerPlan, rulesFor } from './answer-rules.ts'
import { heldBody } from './held-body.ts'
import { jsonResponse } from './json-response.ts'
import { MAX_MESSAGE_BYTES } from './large-event.ts'

/**
 * A JSON answer that is too large to be held, judged as it passes. What has been written cannot be
 * taken back: a fault that shows later breaks the connection.
 */
export function largeAnswer(
  ctx: CallContext,
  plan: AnswerPlan,
  source: Source,
  first: Uint8Array,
  status: number,
  stallMs: number,
): Response {
  let pending: Uint8Array | undefined = first
  let size = 0
  let isOurs = false
  let isUnsealable = false
  const editor = createJsonEditor(
    rulesFor(ctx, plan, {
      id(raw) {
        isOurs = raw === plan.upstreamId
        return isOurs ? plan.clientId : 'null'
      },
      // It cannot be sealed in passing, and nobody may hold an upstream's own.
      requestState(raw) {
        isUnsealable ||= plan.sealState !== undefined
        return plan.sealState ? '' : raw
      },
      // Nor can the id of a task.
      resultType(raw) {
        isUnsealable ||= raw === '"task"'
        return raw
      },
    }),
  )

  async function next(): Promise<Step> {
    const chunk = pending ? ({ kind: 'data', bytes: pending } as const) : await source.read()
    pending = undefined
    if (chunk.kind === 'data') {
      size += chunk.bytes.byteLength
      if (size <= MAX_MESSAGE_BYTES) return { bytes: editor.write(chunk.bytes) }
      return { bytes: new Uint8Array(0), end: 'bounded', breaksOff: true }
    }
    const isSound = chunk.kind === 'complete' && editor.isWhole() && isOurs && !isUnsealable
    const bytes = editor.end()
    return isSound ? { bytes, end: 'complete' } : { bytes, end: 'broken', breaksOff: true }
  }

  const body = heldBody(ctx, { source, next, stallMs, onEnd: plan.onEnd })
  return jsonResponse(plan, body, status)
}
