import type { AnswerPlan, MessageEdits } from './answer-rules.ts'

/**
 * What of an answer only the gateway may read again, sealed before any of it is written. Undefined
 * for what is no text, or too large to be sealed: such an answer cannot be given.
 */
export async function sealMembers(
  { sealState, task }: AnswerPlan,
  found: { readonly state: unknown; readonly task: unknown },
): Promise<Required<Pick<MessageEdits, 'requestState' | 'taskId'>> | undefined> {
  const sealTask = task?.kind === 'given' ? task.seal : undefined
  const state = await sealed(found.state, sealState)
  const taskId = await sealed(found.task, sealTask)
  if (state === null || taskId === null) return undefined
  return {
    requestState: (raw) => (state === undefined ? raw : JSON.stringify(state)),
    taskId: (raw) => (taskId === undefined ? raw : JSON.stringify(taskId)),
  }
}

/** Undefined where there is nothing to seal, null where it cannot be. */
async function sealed(
  value: unknown,
  seal: ((text: string) => Promise<string>) | undefined,
): Promise<string | null | undefined> {
  if (value === undefined || !seal) return undefined
  if (typeof value !== 'string') return null
  return seal(value).catch(() => null)
}
