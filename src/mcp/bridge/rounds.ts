import { isPlainObject } from '../../core/index.ts'
import type { InboundRequest } from '../eras.ts'
import type { ClientHello } from '../upstream/open-session.ts'
import { editObject, fill, members, rawMember, remove, within } from '../wire/edit-members.ts'

/**
 * Multi round-trip requests of a modern server, as the requests that a legacy client knows (MCP
 * 2026-07-28, Multi round-trip requests; PROTOCOL.md 1.4). Pure; raw JSON in and out.
 */

/** Dialogs at once that a person could make sense of. */
export const MAX_ASKED = 20

/** What a server wants to know before it goes on. */
export interface Round {
  /** By the server's own keys, in its order. */
  readonly asked: readonly Asked[]
  /** Raw JSON, given back byte-exact. */
  readonly requestState: string | undefined
}

export interface Asked {
  readonly key: string
  readonly method: InputMethod
  /** Raw JSON. */
  readonly params: string
}

/** What a server may ask of a client. */
export type InputMethod = keyof typeof DECLARED

/** Whether a client declared that it takes such a request; `params` are those of the request. */
const DECLARED = {
  'elicitation/create': ({ elicitation }: Capabilities, params: Members) => {
    if (!isPlainObject(elicitation)) return false
    // Until 2025-11-25 there were forms alone, and nothing to declare of them.
    return params['mode'] === 'url'
      ? elicitation['url'] !== undefined && isWebUrl(params['url'])
      : elicitation['form'] !== undefined || elicitation['url'] === undefined
  },
  'sampling/createMessage': ({ sampling }: Capabilities) => isPlainObject(sampling),
  'roots/list': ({ roots }: Capabilities) => isPlainObject(roots),
} as const

/** A client may open what it is shown: never a script, or a file. */
function isWebUrl(url: unknown): boolean {
  return typeof url === 'string' && /^https?:\/\//i.test(url) && URL.canParse(url)
}

type Members = Readonly<Record<string, unknown>>
type Capabilities = ClientHello['capabilities']

/** The round that a result asks for; undefined for one that is complete, or asks in vain. */
export function roundOf(result: string): Round | undefined {
  if (rawMember(result, 'resultType') !== '"input_required"') return undefined
  const requests = members(rawMember(result, 'inputRequests') ?? '{}')
  const asked = requests.flatMap(([key, raw]): Asked[] => {
    const method: unknown = JSON.parse(rawMember(raw, 'method') ?? 'null')
    const params = rawMember(raw, 'params') ?? '{}'
    return isInputMethod(method) && params.startsWith('{') ? [{ key, method, params }] : []
  })
  if (asked.length < requests.length || asked.length > MAX_ASKED) return undefined
  return { asked, requestState: rawMember(result, 'requestState') }
}

export function isInputMethod(method: unknown): method is InputMethod {
  return typeof method === 'string' && Object.hasOwn(DECLARED, method)
}

/** Whether a client may be asked this (MCP 2026-07-28: never what it did not declare). */
export function isDeclared(
  { method, params }: Asked,
  { capabilities }: Pick<ClientHello, 'capabilities'>,
): boolean {
  const parsed: unknown = JSON.parse(params)
  return DECLARED[method](capabilities, isPlainObject(parsed) ? parsed : {})
}

/** The request as a legacy client knows it. */
export function legacyInputRequest({ method, params }: Asked, id: string): string {
  const own =
    method === 'elicitation/create' && rawMember(params, 'mode') === '"url"'
      ? // Since 2026-07-28 an elicitation has no id of its own.
        editObject(params, { elicitationId: fill(id) })
      : params
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":"${method}","params":${own}}`
}

/**
 * The result that a client's response carries, as raw JSON. A dialog that failed was not answered;
 * anything else that failed has no result, and the server cannot be told.
 */
export function inputOf({ method }: Asked, response: string): string | undefined {
  const result = rawMember(response, 'result')
  if (result?.startsWith('{')) return result
  return method === 'elicitation/create' ? '{"action":"cancel"}' : undefined
}

/** The request once more, with what was answered. */
export function retryOf(
  { text }: Pick<InboundRequest, 'text'>,
  { requestState }: Round,
  inputs: ReadonlyMap<string, string>,
): string {
  const responses = [...inputs].map(([key, raw]) => `${JSON.stringify(key)}:${raw}`).join(',')
  return editObject(text, {
    params: within({
      inputResponses: inputs.size === 0 ? remove : () => `{${responses}}`,
      requestState: () => requestState,
    }),
  })
}
