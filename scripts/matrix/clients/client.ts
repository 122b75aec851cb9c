import type { Level } from '../upstreams/tools.ts'
import type { Era } from '../upstreams/upstream.ts'
import type { Json, Message } from '../wire/json.ts'
import type { Recorder } from '../wire/recorder.ts'

/** A real SDK client of one era, as far as the cells need one, and what passed between it and us. */
export interface MatrixClient {
  readonly era: Era
  readonly wire: Recorder
  /** What its handlers were asked, in order. */
  readonly asked: readonly { readonly method: string; readonly params: Json }[]
  /** Notifications that reached its handlers. */
  readonly notices: readonly Message[]
  /** What the server said of itself when the client connected. */
  readonly server: ServerFace
  call(name: string, args: Json, options?: CallOptions): Promise<Json>
  /** Every page. */
  tools(): Promise<readonly Json[]>
  resources(): Promise<readonly Json[]>
  read(uri: string): Promise<Json>
  /** Listens to the list of tools, and to these resources. Throws when the server does not tell. */
  watch(uris: readonly string[]): Promise<Watch>
  /** Asks for log messages from this level on: once for all, or with each call, as the era does. */
  setLevel(level: Level): Promise<void>
  /** Only the legacy era has these. */
  ping?(): Promise<void>
  tellRootsChanged?(): Promise<void>
  close(): Promise<void>
}

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Json) => void
  readonly meta?: Json
  /** Of this call alone; only the modern era has it. */
  readonly level?: Level
}

export interface ServerFace {
  readonly capabilities: Json
  readonly info: Json
  readonly instructions: string | undefined
}

export interface Watch {
  stop(): Promise<void>
}

export interface ConnectOptions {
  readonly url: string
  readonly token: string
  /** What the client waits for before it answers a question; nothing when absent. */
  readonly think?: () => Promise<void>
  /** How long it waits for an answer of its own. */
  readonly timeoutMs: number
}

export const CLIENT_INFO = { name: 'matrix-client', version: '7.0.0', title: 'Matrix' }
const ELICITATION = { form: {}, url: {} }
/** What the clients declare; changes of roots are told in the legacy era alone. */
export const CLIENT_CAPABILITIES = {
  legacy: { elicitation: ELICITATION, sampling: {}, roots: { listChanged: true } },
  modern: { elicitation: ELICITATION, sampling: {}, roots: {} },
}

/** What every client answers, by method; a link is only accepted. */
export const ANSWERS = {
  form: { action: 'accept' as const, content: { name: 'Ann Öhler', age: 42 } },
  link: { action: 'accept' as const },
  model: {
    role: 'assistant' as const,
    model: 'matrix-model',
    content: { type: 'text' as const, text: 'Paris, "of course"' },
    stopReason: 'endTurn',
  },
  roots: { roots: [{ uri: 'file:///home/ann', name: 'Home' }] },
}

/** The elicitation's answer. */
export function elicited(params: Json) {
  return params['mode'] === 'url' ? ANSWERS.link : ANSWERS.form
}

/** Notes what was asked, and thinks. */
export function createDesk({ think }: ConnectOptions) {
  const asked: { method: string; params: Json }[] = []
  return {
    asked,
    async take(method: string, params: Json = {}): Promise<Json> {
      asked.push({ method, params })
      await think?.()
      return params
    },
  }
}
