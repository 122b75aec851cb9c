import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Outcome } from '../records.ts'

/** One POST, byte by byte as it came. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** Why it is not whole; what came before stands in `text`. */
  readonly brokenBy?: string
}

export interface HttpPost {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly method?: 'POST' | 'DELETE'
  /** Leaves after this time, whatever has come by then. */
  readonly leaveAfterMs?: number | undefined
}

/** Longer than any deadline of the gateway in a run: silence after it is an answer that is missing. */
const SILENCE_MS = 45_000

/**
 * Sends on a connection of its own, so that a broken one is this request's and no other's, and
 * sends once. Never throws; `status` 0 means that no answer began.
 */
export function sendOnce(post: HttpPost): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let response: IncomingMessage | undefined
    const settle = (brokenBy?: string): void => {
      clearTimeout(leaving)
      resolve({
        status: response?.statusCode ?? 0,
        headers: Object.fromEntries(
          Object.entries(response?.headers ?? {}).map(([name, value]) => [name, String(value)]),
        ),
        text: Buffer.concat(chunks).toString(),
        ...(brokenBy === undefined ? {} : { brokenBy }),
      })
    }
    const { method = 'POST', headers } = post
    const request: ClientRequest = httpRequest(post.url, { method, headers, agent: false })
    const leaving =
      post.leaveAfterMs === undefined
        ? undefined
        : setTimeout(() => request.destroy(new Error(LEFT)), post.leaveAfterMs)
    request.setTimeout(SILENCE_MS, () => request.destroy(new Error('silence')))
    request.on('error', (error) => settle(error.message))
    request.on('response', (arrived) => {
      response = arrived
      arrived.on('data', (chunk: Buffer) => chunks.push(chunk))
      arrived.on('end', () => settle())
      arrived.on('error', (error) => settle(error.message))
    })
    request.end(post.body)
  })
}

const LEFT = 'the client left'

export interface RpcMessage {
  readonly id?: unknown
  readonly method?: string
  readonly result?: unknown
  readonly error?: {
    readonly code: number
    readonly message?: string
    readonly data?: { readonly code?: string }
  }
}

/** The messages of an answer, whether it came as JSON or as events; what is neither is left out. */
function messagesIn(text: string): RpcMessage[] {
  const lines = text.split('\n').filter((line) => line.startsWith('data:'))
  const sources = text.startsWith('{') ? [text] : lines.map((line) => line.slice('data:'.length))
  return sources.flatMap((source) => {
    try {
      return [JSON.parse(source) as RpcMessage]
    } catch {
      return []
    }
  })
}

/** What an answer was, to the request with this id. `isExpected` judges a result. */
export function readAnswer(
  answer: HttpAnswer,
  id: number,
  canary: string,
  isExpected: (result: unknown) => boolean,
): {
  outcome: Outcome
  answers: number
  strangers: number
  foreignCanaries: string[]
} {
  const responses = messagesIn(answer.text).filter(
    (message) => message.result !== undefined || message.error !== undefined,
  )
  // What is refused before its body is read is answered under `null` (JSON-RPC 2.0, section 5).
  const isRefused = answer.status >= 400 && responses.length === 1 && responses[0]?.id === null
  const own = isRefused ? responses : responses.filter((message) => message.id === id)
  return {
    outcome: outcomeOf(answer, own[0], isExpected),
    answers: own.length,
    strangers: responses.length - own.length,
    foreignCanaries: foreignCanaries(answer.text, canary),
  }
}

/** Every canary in a text that is not the caller's own. */
export function foreignCanaries(text: string, canary: string): string[] {
  return [...new Set(text.match(/canary-[a-z0-9-]+/g) ?? [])].filter((found) => found !== canary)
}

function outcomeOf(
  answer: HttpAnswer,
  message: RpcMessage | undefined,
  isExpected: (result: unknown) => boolean,
): Outcome {
  const { brokenBy, status, text } = answer
  if (message?.error) {
    const { code, data, message: text = '' } = message.error
    return { kind: 'error', status, rpc: code, code: data?.code ?? '', text: text.slice(0, 300) }
  }
  if (message) {
    const isRight = isExpected(message.result)
    return isRight ? { kind: 'result' } : { kind: 'wrong_result', text: text.slice(0, 300) }
  }
  if (brokenBy === LEFT) return { kind: 'left' }
  if (brokenBy !== undefined) return { kind: 'broken', reason: brokenBy }
  return { kind: 'no_message', status, text: text.slice(0, 300) }
}
