import type { CallContext } from '../../core/index.ts'
import { type EventFields, isForeignType, readEvent } from '../wire/event-fields.ts'
import { parseMessage } from '../wire/parse-message.ts'
import { createSseEditor } from '../wire/sse-editor.ts'
import { topLevelMembers } from '../wire/top-level-members.ts'
import { type AnswerPlan, rulesFor } from './answer-rules.ts'
import { PROGRESS } from './judge.ts'

/** What came of an event that flowed through. */
export interface LargeEnd {
  /** It was the response to our request, and the client has it. */
  readonly isAnswer: boolean
  readonly isFaulty: boolean
  /** It was cut off: whatever follows belongs to nothing. */
  readonly isBroken: boolean
  readonly isTooLarge: boolean
  /** Bytes that end the event for the client. */
  readonly rest: Uint8Array
}

/** An event that is too large to be held: edited as it passes, judged by what is seen of it. */
export interface LargeEvent {
  readonly id: string | undefined
  /** The client gets nothing of it. */
  readonly isDropped: boolean
  write(bytes: Uint8Array): Uint8Array
  isTooLarge(): boolean
  end(): LargeEnd
}

/** No client can do anything with a larger message, and no server of good faith sends one. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024

const NOTHING = new Uint8Array(0)

/**
 * Opens an event by its beginning. A response whose id turns out not to be ours gets a null id,
 * which is nobody's; a second response, and what is no message, is left out. What turns out to be a
 * message that the client must not get ends as no JSON.
 */
export function openLargeEvent(
  ctx: CallContext,
  plan: AnswerPlan,
  beginning: Uint8Array,
  isAnswered: boolean,
): LargeEvent {
  const { data = '', id, others = [] } = readBeginning(beginning)
  const members = topLevelMembers(data)
  const isMessage = members?.includes('method') === true
  const isWaitedFor = plan.upstreamId !== undefined && !isAnswered
  const isDropped = members === undefined || !(isMessage || isWaitedFor) || isForeignType(others)
  let size = 0
  let isOurs = false
  /** No JSON any more, so that nobody takes it for what it says it is. */
  let isSpoilt = false
  const spoilWhen = (isRefused: boolean, raw: string): string => {
    isSpoilt ||= isRefused
    return isRefused ? '' : raw
  }
  const editor = createSseEditor(
    rulesFor(ctx, plan, {
      id(raw) {
        if (isMessage && plan.inbound.era === 'modern') return spoilWhen(true, raw)
        if (isMessage) return plan.names ? plan.names.serverRequestId(raw) : raw
        isOurs = raw === plan.upstreamId
        return isOurs ? plan.clientId : 'null'
      },
      // It cannot be sealed in passing, and nobody may hold an upstream's own.
      requestState: (raw) => spoilWhen(plan.sealState !== undefined, raw),
      // Nor can the id of a task.
      resultType: (raw) => spoilWhen(raw === '"task"', raw),
      // It began as a response, or is longer than any honest progress.
      method: (raw) => spoilWhen(!isMessage || parseMessage(raw) === PROGRESS, raw),
    }),
  )
  const isTooLarge = (): boolean => size > MAX_MESSAGE_BYTES

  return {
    id: isDropped ? undefined : id,
    isDropped,
    isTooLarge,
    write(bytes) {
      size += bytes.byteLength
      return isDropped ? NOTHING : editor.write(bytes)
    },
    end() {
      const rest = isDropped ? NOTHING : editor.end()
      const isSound = !isDropped && !isSpoilt && !isTooLarge() && editor.isWhole()
      const isUnread = !isDropped && !isSound && (!isMessage || isSpoilt)
      return {
        isAnswer: isSound && isOurs,
        isFaulty: !isSound || !(isMessage || isOurs),
        isBroken: isTooLarge() || isUnread,
        isTooLarge: isTooLarge(),
        rest,
      }
    },
  }
}

/** A character that is cut in two at the end says nothing of what stands before it. */
function readBeginning(bytes: Uint8Array): Partial<EventFields> {
  for (let cut = 0; cut < 4; cut += 1) {
    const fields = readEvent(bytes.subarray(0, bytes.byteLength - cut))
    if (!fields) continue
    return fields
  }
  return {}
}
