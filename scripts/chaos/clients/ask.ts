import type { CallRecord } from '../records.ts'
import { answerText, type ToolName } from '../upstream/tools.ts'
import type { Desk } from './desk.ts'
import { type HttpAnswer, readAnswer, sendOnce } from './http.ts'
import type { Step } from './plan.ts'

/** One request, written down however it ends. */
export interface Ask {
  readonly step: Pick<Step, 'isolate' | 'at' | 'server'>
  readonly path: string
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  readonly tool?: ToolName
  readonly isExpected: (result: unknown, nonce: string) => boolean
  readonly leaveAfterMs?: number | undefined
}

/** Sends a client's requests, numbered from 1 as every client does: ids of clients are alike. */
export function createAsker(desk: Desk) {
  let count = 0
  return {
    /** `paramsOf` is given the nonce of this call. */
    async ask(
      input: Omit<Ask, 'params'> & { readonly paramsOf: (nonce: string) => Ask['params'] },
    ): Promise<{ readonly record: CallRecord; readonly answer: HttpAnswer }> {
      count += 1
      const id = count
      const nonce = `${desk.client}-${id}`
      const { step, method, tool, isExpected, leaveAfterMs } = input
      const startedAt = Date.now()
      const answer = await sendOnce({
        url: `${desk.urls[step.isolate]}${input.path}`,
        headers: headersOf(desk, input.headers),
        body: JSON.stringify({ jsonrpc: '2.0', id, method, params: input.paramsOf(nonce) }),
        leaveAfterMs,
      })
      const read = readAnswer(answer, id, desk.canary, (result) => isExpected(result, nonce))
      const record: CallRecord = {
        nonce,
        client: desk.client,
        clientEra: desk.era,
        method,
        tool,
        server: step.at === 'shared' && tool === undefined ? undefined : step.server,
        at: step.at,
        tenant: desk.tenant,
        canary: desk.canary,
        startedAt,
        endedAt: Date.now(),
        ...read,
      }
      desk.record(record)
      return { record, answer }
    },
  }
}

export type Asker = ReturnType<typeof createAsker>

/** What every POST carries. */
export function headersOf(
  desk: Desk,
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    authorization: `Bearer ${desk.token()}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...more,
  }
}

/** Whether a result of `tools/call` is the one text that this call may be answered with. */
export function isAnswerTo(
  desk: Desk,
  server: string,
  tool: ToolName,
): (result: unknown, nonce: string) => boolean {
  return (result, nonce) =>
    firstText(result) === answerText(server, tool, { nonce, canary: desk.canary })
}

/** The text of a tool's result; undefined where it has none. */
export function firstText(result: unknown): string | undefined {
  const { content } = result as { content?: readonly { text?: string }[] }
  return content?.[0]?.text
}
