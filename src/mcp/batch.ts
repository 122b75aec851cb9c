import { GatewayError, isPlainObject } from '../core/index.ts'
import { createJsonEditor } from './wire/json-editor.ts'
import { acceptedReply } from './wire/reply.ts'
import { scanRequest } from './wire/scan-request.ts'

/** Messages of one batch: each of them costs what a message costs. */
const MAX_MESSAGES = 50
/**
 * Revisions whose receivers accept batches: MCP 2025-03-26 says so (Batching), and 2024-11-05 is
 * JSON-RPC 2.0, which has them (section 6).
 */
const BATCH_VERSIONS: readonly string[] = ['2025-03-26', '2024-11-05']

/** Whether a body is a JSON-RPC batch, by its first character. */
export function isBatch(text: string): boolean {
  return /^[ \t\r\n]*\[/.test(text)
}

/**
 * Refuses a batch of a client that may send none. Those that may send no version header, so without
 * a session nothing says otherwise. Throws `invalid_request`.
 */
export function requireBatchVersion(header: string | null, negotiated: string | undefined): void {
  const isRight = (version: string | null | undefined): boolean =>
    version === null || version === undefined || BATCH_VERSIONS.includes(version.trim())
  if (isRight(header) && isRight(negotiated)) return
  throw new GatewayError('invalid_request', 'JSON-RPC batches are not accepted here.', {
    fix: 'Send each message in a request of its own.',
  })
}

/** What became of a batch. */
export interface ServedBatch {
  readonly response: Response
  /** Settles with the last message; false when not all answers could be written. Never rejects. */
  readonly isWhole: Promise<boolean>
}

/**
 * Serves the messages of a batch one after the other, each as if it had come alone, and gives their
 * answers as one stream. When nothing is asked, 202, or the first refusal (MCP 2025-03-26, Sending
 * Messages to the Server). `serve` never throws.
 */
export async function serveBatch(
  messages: readonly string[],
  serve: (message: string) => Promise<Response>,
): Promise<ServedBatch> {
  if (!messages.some(wantsAnswer)) {
    return { response: await serveOneWay(messages, serve), isWhole: Promise.resolve(true) }
  }
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const isWhole = writeAnswers(messages, serve, writable).then(
    () => true,
    () => false,
  )
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }
  return { response: new Response(readable, { headers }), isWhole }
}

async function serveOneWay(
  messages: readonly string[],
  serve: (message: string) => Promise<Response>,
): Promise<Response> {
  let refusal: Response | undefined
  for (const message of messages) {
    const response = await serve(message)
    if (response.status !== 202) refusal ??= response
  }
  return refusal ?? acceptedReply()
}

async function writeAnswers(
  messages: readonly string[],
  serve: (message: string) => Promise<Response>,
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  for (const message of messages) {
    const response = await serve(message)
    if (!response.body || response.status === 202) continue
    const isStream = response.headers.get('content-type') === 'text/event-stream'
    const body = isStream ? response.body : asEvent(await response.text())
    await body.pipeTo(writable, { preventClose: true })
  }
  await writable.close()
}

/** A line break within JSON is white space; in an event it starts another `data` line. */
function asEvent(json: string): ReadableStream<Uint8Array> {
  const data = json.replaceAll(/\r\n|\r|\n/g, '\ndata: ')
  const { body } = new Response(`event: message\ndata: ${data}\n\n`)
  if (!body) throw new Error('a text has a body')
  return body
}

/**
 * The raw JSON of each message; `initialize` may not be among them (MCP 2025-03-26, Lifecycle).
 * Throws `parse_error`, `invalid_request`, `body_too_large`.
 */
export function readBatch(text: string): string[] {
  const scan = scanRequest(text)
  if (scan.kind === 'refused') {
    throw new GatewayError('parse_error', `The body was refused: ${scan.reason}.`)
  }
  const parsed = parse(text)
  if (!Array.isArray(parsed) || parsed.length === 0) {
    throw new GatewayError('invalid_request', 'The batch is empty.')
  }
  if (parsed.length > MAX_MESSAGES) {
    throw new GatewayError('invalid_request', `A batch holds at most ${MAX_MESSAGES} messages.`)
  }
  if (parsed.some(isInitialize)) {
    throw new GatewayError('invalid_request', 'initialize must not be part of a batch.', {
      fix: 'Send initialize in a request of its own.',
    })
  }
  const messages: string[] = []
  const editor = createJsonEditor({
    keepElement: (raw) => {
      messages.push(raw)
      return false
    },
  })
  editor.write(new TextEncoder().encode(text))
  editor.end()
  // The editor lets go of what is larger than it holds: such a message must not get lost silently.
  if (messages.length !== parsed.length) {
    throw new GatewayError('body_too_large', 'A message of the batch is larger than is accepted.')
  }
  return messages
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('parse_error', 'The body is not valid JSON.', { cause })
  }
}

/** Its answer carries the session in a header, which a batch has no room for. */
function isInitialize(message: unknown): boolean {
  return isPlainObject(message) && message['method'] === 'initialize'
}

function wantsAnswer(message: string): boolean {
  const body: unknown = JSON.parse(message)
  // What is no message at all is answered with an error.
  if (!isPlainObject(body)) return true
  return 'method' in body ? 'id' in body : !('result' in body || 'error' in body)
}
