import { isPlainObject } from '../../core/index.ts'
import { editObject, rawMember, remove } from '../wire/edit-members.ts'
import type { RawId } from '../wire/reply.ts'
import { type Asked, isInputMethod } from './rounds.ts'

/**
 * The requests of a legacy server, as a modern client knows them (MCP 2026-07-28, Multi round-trip
 * requests). Pure; raw JSON in and out.
 */

/** The answer that asks for them; `state` is absent where the request is simply sent again. */
export function inputRequired(id: RawId, asked: readonly Asked[], state?: string): string {
  const requests = asked.map(
    ({ key, method, params }) =>
      `${JSON.stringify(key)}:{"method":${JSON.stringify(method)},"params":${params}}`,
  )
  const opened = state === undefined ? '' : `,"requestState":${JSON.stringify(state)}`
  const result = `{"resultType":"input_required","inputRequests":{${requests.join(',')}}${opened}}`
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`
}

/** What a server's request asks of the client; undefined for what no modern client can be asked. */
export function askedBy(text: string, key: string): Asked | undefined {
  const method: unknown = JSON.parse(rawMember(text, 'method') ?? 'null')
  const params = rawMember(text, 'params') ?? '{}'
  if (!isInputMethod(method) || !params.startsWith('{')) return undefined
  // Ids and tokens of the server's own request: the modern era has neither.
  return { key, method, params: editObject(params, { elicitationId: remove, _meta: ownMeta }) }
}

function ownMeta(raw: string | undefined): string | undefined {
  const meta = raw && editObject(raw, { progressToken: remove })
  return meta === '{}' ? undefined : meta
}

/** The response that a server gets which asks what nobody here can be asked. */
export function refusalOf(text: string): string {
  const id = rawMember(text, 'id') ?? 'null'
  const isPing = rawMember(text, 'method') === '"ping"'
  const rest = isPing
    ? '"result":{}'
    : '"error":{"code":-32601,"message":"The client does not take such requests."}'
  return `{"jsonrpc":"2.0","id":${id},${rest}}`
}

/** The response that a server gets to its request of this raw id. */
export function responseTo(id: RawId, result: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`
}

/** The client's inputs by key, as raw JSON; what is no object is no input. */
export function isInput(raw: string): boolean {
  return isPlainObject(JSON.parse(raw))
}
