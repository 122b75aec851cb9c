import { createDeadline } from '../../../src/core/index.ts'
import { answer } from '../../../src/mcp/answer/answer.ts'
import type { AnswerPlan } from '../../../src/mcp/answer/answer-rules.ts'

/** Small enough for every split position, large enough to pass the 256 KiB that are held. */
export const BIG = 'x'.repeat(300_000)
export const OUR_ID = '"11111111-1111-4111-8111-111111111111"'
export const bytes = (text: string) => new TextEncoder().encode(text)

/** Each end that `onEnd` was told. */
export type Ends = string[]

export function ctx() {
  return {
    requestId: 'r',
    clock: { now: () => 0 },
    random: {},
    caller: new AbortController(),
    facts: {},
    waitUntil: () => undefined,
    holdEvent: () => () => undefined,
  } as never
}

export function plan(ends: Ends, more: Partial<AnswerPlan> = {}): AnswerPlan {
  return {
    inbound: { method: 'tools/call', era: 'legacy' },
    clientId: '"mine"',
    upstreamId: OUR_ID,
    server: 's',
    timeoutMs: 500,
    showsTool: 'all',
    showsProgress: () => true,
    onEnd: (end) => ends.push(end),
    ...more,
  }
}

interface Outcome {
  readonly text: string
  readonly ends: Ends
}

/** What the client reads; ` BROKEN` where its connection broke, `THROWN` for one clean error. */
export async function relay(
  type: 'application/json' | 'text/event-stream',
  body: Uint8Array | ReadableStream<Uint8Array>,
  more: Partial<AnswerPlan> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const ends: Ends = []
  let text = ''
  try {
    const init = { headers: { 'content-type': type, ...headers } }
    const response = await answer(ctx(), plan(ends, more), new Response(body as BodyInit, init))
    const reader = response.body?.getReader()
    const decoder = new TextDecoder()
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) break
      text += decoder.decode(next.value, { stream: true })
    }
    return { text, ends }
  } catch (thrown) {
    const isClean = (thrown as { code?: unknown }).code === 'upstream_failed'
    return { text: isClean ? 'THROWN' : `${text} BROKEN`, ends }
  }
}

export const json = (text: string, more?: Partial<AnswerPlan>) =>
  relay('application/json', bytes(text), more)
/** One that says how long it is, as most do, and is read under the deadline of its call. */
export const sizedJson = (whole: Uint8Array) => {
  const bodyDeadline = createDeadline(500)
  const length = { 'content-length': String(whole.byteLength) }
  return relay('application/json', whole, { bodyDeadline }, length)
}
export const sse = (text: string, more?: Partial<AnswerPlan>) =>
  relay('text/event-stream', bytes(text), more)

/** The same text in two chunks, cut at every byte. */
export async function atEverySplit(type: 'application/json' | 'text/event-stream', text: string) {
  const whole = bytes(text)
  const seen = new Set<string>()
  for (let at = 0; at <= whole.length; at += 1) {
    const parts = [whole.slice(0, at), whole.slice(at)].filter(({ length }) => length > 0)
    const body = new ReadableStream<Uint8Array>({
      pull(to) {
        const part = parts.shift()
        if (part) to.enqueue(part)
        else to.close()
      },
    })
    seen.add(JSON.stringify(await relay(type, body)))
  }
  return [...seen].map((one) => JSON.parse(one) as Outcome)
}

/** A JSON-RPC response with this result. */
export const response = (result: string, id = OUR_ID) =>
  `{"jsonrpc":"2.0","id":${id},"result":${result}}`
/** A server-sent event with this message, behind other fields of it. */
export const event = (data: string, fields = '') => `${fields}data: ${data}\n\n`
/** Whether the client was given an error of the gateway. */
export const isError = (text: string) =>
  text.includes('"id":"mine","error"') && text.includes('upstream_failed')
