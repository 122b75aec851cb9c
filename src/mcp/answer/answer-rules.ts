import type { CallContext, Deadline, GatewayError } from '../../core/index.ts'
import { methodFacts } from '../messages.ts'
import type { JsonRule } from '../wire/json-editor.ts'
import type { StreamEnd } from '../wire/pump.ts'
import type { RawId } from '../wire/reply.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'

/** How what a server names looks to clients, where several servers share an endpoint. */
export interface NameTranslation {
  uri(original: string): string
  /** Of a multi round-trip request, sealed, where its retry must say whose it is. */
  requestState?(sealed: string): string
  taskId(sealed: string): string
  /** Raw JSON in and out. */
  serverRequestId(raw: RawId): RawId
  /** Raw JSON in and out. */
  progressToken(raw: RawId): RawId
}

/** Under which id a client knows the task that an answer names. */
export type TaskPlan =
  /** One that the answer may give: its id is sealed for the client. */
  | { readonly kind: 'given'; readonly seal: (id: string) => Promise<string> }
  /** The one that the client asked about. */
  | { readonly kind: 'asked'; readonly shown: string }

/** Why an answer did not come, or not whole. */
export interface LostAnswer {
  readonly error: GatewayError
  /** By a bound of ours, which is no fault of who sent it. */
  readonly isBounded: boolean
}

/** What the answer to one request must become on its way to the client. */
export interface AnswerPlan {
  readonly inbound: { readonly method: string; readonly era: 'modern' | 'legacy' }
  /** What the client is told of an error, raw JSON in and out. */
  readonly error?: ((raw: string) => string) | undefined
  /** The client's id, raw. */
  readonly clientId: RawId
  /** Our id towards the upstream, raw. Absent for a stream that answers nothing. */
  readonly upstreamId?: RawId
  readonly server: string
  readonly timeoutMs: number
  /**
   * Its stream is the bridge's, which bounds the silence of its server by itself: in the rest of it a
   * client is asked, or the server tells what no client sees.
   */
  readonly isBridged?: true | undefined
  /** Of a stream, and of a body that flows. Default: `DEFAULT_STREAM_BOUNDS`. */
  readonly bounds?: StreamBounds
  /** Which tools `tools/list` may show. */
  readonly showsTool: 'all' | ((name: string) => boolean)
  /** Which `notifications/progress` the client is told of, by their parsed token. */
  readonly showsProgress: (token: unknown) => boolean
  /** Headers for the client, such as a sealed session id. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Absent where names stay untouched. */
  readonly names?: NameTranslation | undefined
  /** Seals the id of an event for the client; absent where no stream can be resumed. */
  readonly sealEventId?: ((eventId: string) => Promise<string>) | undefined
  /** Seals the state of a multi round-trip request for the client; absent in the legacy era. */
  readonly sealState?: ((state: string) => Promise<string>) | undefined
  /** For `_meta` of the result: what the gateway has to say of it, by key, as raw JSON. */
  readonly notes?: Readonly<Record<string, () => string>> | undefined
  /** Of requests that may become tasks, or are about one, in the modern era. */
  readonly task?: TaskPlan | undefined
  /** Whether the client knows events without data, which begin a stream (MCP 2025-11-25). */
  readonly takesPriming?: boolean | undefined
  /**
   * For a stream that a client opened and that so outlives the judgement that let it begin: whether its client may still be told; asked before each piece. Never rejects.
   */
  readonly mayGoOn?: () => Promise<boolean>
  /** Whether its client has cancelled the request, and so reads no response to it. */
  readonly isCancelled?: (() => boolean) | undefined
  /** Of the upstream's response, begun anew with it; ended here. */
  readonly bodyDeadline?: Deadline | undefined
  /** How long the call might take, when it took longer and its answer was cut off. */
  readonly lateAfterMs?: (() => number | undefined) | undefined
  /** Why the answer ended as it did, where whoever made it of the server's own knows more. */
  readonly lostBecause?: (() => LostAnswer | undefined) | undefined
  readonly onEnd: (end: StreamEnd) => void
}

/** What is decided message by message. Raw JSON in and out. */
export interface MessageEdits {
  id(raw: RawId): RawId
  requestState(raw: string): string
  taskId?(raw: string): string
  resultType?(raw: string): string
  method?(raw: string): string
}

/**
 * What is changed in the messages of an answer; every other byte passes. What the rules see on the
 * way, the event line tells.
 */
export function rulesFor(ctx: CallContext, plan: AnswerPlan, edits: MessageEdits): JsonRule {
  const { showsTool, names, notes } = plan
  const { method } = plan.inbound
  const filter: Readonly<Record<string, JsonRule>> =
    method === 'tools/list' && showsTool !== 'all'
      ? { tools: { keepElement: (raw) => showsTool(toolName(raw)) } }
      : {}
  // Everything here is behind our authorization: what is public upstream is not public here.
  const cache: Readonly<Record<string, JsonRule>> = methodFacts(method).isCacheable
    ? { cacheScope: { replace: () => '"private"' } }
    : {}
  const meta = metaRules(plan)
  return {
    members: {
      id: { replace: (raw) => edits.id(raw) },
      ...(edits.method ? { method: { replace: edits.method } } : {}),
      params: { members: { ...(names ? serverMessageRules(names) : {}), _meta: meta } },
      error: {
        replace(raw) {
          ctx.facts.outcome = 'rpc_error'
          return plan.error?.(raw) ?? raw
        },
      },
      result: {
        ...(notes ? { append: { _meta: () => noteObject(notes) } } : {}),
        members: {
          isError: {
            replace(raw) {
              if (raw === 'true') ctx.facts.outcome = 'tool_error'
              return raw
            },
          },
          requestState: {
            replace: (raw) => edits.requestState(raw),
            ...(plan.sealState ? { mustReplace: true } : {}),
          },
          _meta: notes ? withNotes(meta, notes) : meta,
          ...(names ? resultRules(names) : {}),
          ...taskRules(plan, edits),
          ...filter,
          ...cache,
        },
      },
    },
  }
}

/** Whatever an upstream wrote under these keys is not ours. */
function withNotes(meta: JsonRule, notes: NonNullable<AnswerPlan['notes']>): JsonRule {
  const own = Object.entries(notes).map(([key, note]) => [key, { replace: note }] as const)
  return { members: { ...meta.members, ...Object.fromEntries(own) }, append: notes }
}

function noteObject(notes: NonNullable<AnswerPlan['notes']>): string {
  const members = Object.entries(notes).map(([key, note]) => `${JSON.stringify(key)}:${note()}`)
  return `{${members.join()}}`
}

/** Of a task: its id, and where several servers meet the names in the result that it came to. */
function taskRules(
  { task, names, inbound }: AnswerPlan,
  edits: MessageEdits,
): Readonly<Record<string, JsonRule>> {
  if (!task) return {}
  const shown = task.kind === 'asked' ? task.shown : undefined
  const replace = (raw: string): string =>
    shown === undefined ? (edits.taskId?.(raw) ?? raw) : JSON.stringify(shown)
  const { resultType } = edits
  return {
    taskId: { replace, mustReplace: true },
    ...(resultType ? { resultType: { replace: (raw) => resultType(raw) } } : {}),
    ...(names && inbound.method === 'tasks/get' ? taskNames(names) : {}),
  }
}

/** Members of a task: what it came to is the result of its call (SEP-2663, Task Polling). */
export function taskNames(names: NameTranslation): Readonly<Record<string, JsonRule>> {
  return { result: { members: { ...resultRules(names), _meta: metaRules({ names }) } } }
}

/** Wherever a result of MCP names a resource. What a tool writes in its own words stays. */
function resultRules(names: NameTranslation): Readonly<Record<string, JsonRule>> {
  const uri = uriRule(names)
  const block = { uri, resource: { members: { uri } } }
  const blocks: JsonRule = { elements: { members: block }, members: block }
  return {
    content: blocks,
    messages: { elements: { members: { content: blocks } } },
    contents: { elements: { members: { uri } } },
  }
}

/** Requests and notifications of a server: their ids are its own, and so are the tokens in them. */
function serverMessageRules(names: NameTranslation): Readonly<Record<string, JsonRule>> {
  return {
    // `notifications/resources/updated`
    uri: uriRule(names),
    // `notifications/cancelled` of a request that the server made
    requestId: { replace: (raw) => names.serverRequestId(raw) },
  }
}

/**
 * A server's request may name a token of its own, and a tool's result the resource that shows it
 * (MCP Apps).
 */
function metaRules({ names }: Pick<AnswerPlan, 'names'>): JsonRule {
  if (!names) return {}
  const uri = uriRule(names)
  return {
    members: {
      progressToken: { replace: (raw) => names.progressToken(raw) },
      ui: { members: { resourceUri: uri } },
      'ui/resourceUri': uri,
    },
  }
}

function uriRule({ uri }: NameTranslation): JsonRule {
  return {
    replace: (raw) => {
      const original: unknown = JSON.parse(raw)
      return typeof original === 'string' ? JSON.stringify(uri(original)) : raw
    },
  }
}

function toolName(raw: string): string {
  try {
    const tool: unknown = JSON.parse(raw)
    const name = typeof tool === 'object' && tool !== null && 'name' in tool ? tool.name : ''
    return typeof name === 'string' ? name : ''
  } catch {
    // Not a tool that anyone can be allowed: it is left out.
    return ''
  }
}
