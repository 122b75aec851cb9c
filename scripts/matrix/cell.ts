import { exposedName, exposedUri } from '../../src/mcp/shared/naming.ts'
import type { MatrixClient } from './clients/client.ts'
import type { Era, Upstream } from './upstreams/upstream.ts'
import { until } from './wire/expect.ts'
import { dig, digObject, type Json } from './wire/json.ts'
import type { Exchange } from './wire/recorder.ts'

/** Where a cell's client connects: to one server, or to all of them at once. */
export type Place = 'single' | 'mixed'

/** A client of one era that is connected to an upstream of one era, through the gateway. */
export interface Cell {
  readonly clientEra: Era
  readonly upstreamEra: Era
  readonly place: Place
  readonly client: MatrixClient
  readonly upstream: Upstream
  /** What stands behind the same endpoint as well; on a single server's endpoint nothing. */
  readonly others: readonly Upstream[]
  /** Stands in the arguments of the cell's calls, so that they are found at both ends. */
  readonly nonce: string
  /** What the upstream's things are called here. */
  toolName(name: string): string
  uri(uri: string): string
  /** Exchanges at the upstream since the cell began. */
  atUpstream(): readonly Exchange[]
}

/** Whether both ends speak one era. */
export function isMirrored({
  clientEra,
  upstreamEra,
}: Pick<Cell, 'clientEra' | 'upstreamEra'>): boolean {
  return clientEra === upstreamEra
}

/** The names of an upstream on an endpoint; those of a single server are its own. */
export function namesAt(place: Place, server: string): Pick<Cell, 'toolName' | 'uri'> {
  return place === 'single'
    ? { toolName: (name: string) => name, uri: (uri: string) => uri }
    : {
        toolName: (name: string) => exposedName(server, name),
        uri: (uri: string) => exposedUri(server, uri),
      }
}

/** Calls a tool with the cell's nonce, or one derived from it. */
export function call(
  cell: Cell,
  tool: string,
  args: Json = {},
  options: Parameters<MatrixClient['call']>[2] & { readonly part?: string } = {},
): Promise<Json> {
  const { part, ...rest } = options
  const nonce = nonceOf(cell, part)
  return cell.client.call(cell.toolName(tool), { ...args, nonce }, rest)
}

export function nonceOf(cell: Cell, part?: string): string {
  return part === undefined ? cell.nonce : `${cell.nonce}/${part}`
}

/** The cell's calls as the client sent them, in order. */
export function clientCalls(cell: Cell, part?: string): readonly Exchange[] {
  return cell.client.wire.exchanges.filter(isCallWith(nonceOf(cell, part)))
}

/** The cell's calls as they reached the upstream, in order. */
export function upstreamCalls(cell: Cell, part?: string): readonly Exchange[] {
  return cell.upstream.wire.exchanges.filter(isCallWith(nonceOf(cell, part)))
}

const isCallWith =
  (nonce: string) =>
  ({ sent }: Exchange): boolean =>
    dig(sent, 'method') === 'tools/call' && dig(sent, 'params', 'arguments', 'nonce') === nonce

/** Exchanges of one method, in order. */
export function ofMethod(exchanges: readonly Exchange[], method: string): readonly Exchange[] {
  return exchanges.filter(({ sent }) => dig(sent, 'method') === method)
}

/** The result that an exchange ended with; an empty one where it has none. */
export function resultOf({ sent, received }: Exchange): Json {
  const id = dig(sent, 'id')
  return digObject(
    received.find((message) => message['id'] === id && message['method'] === undefined),
    'result',
  )
}

/** What a tool said, by the one block of text in its result. */
export function textIn(result: Json): unknown {
  const text = dig(result, 'content', 0, 'text')
  return typeof text === 'string' ? JSON.parse(text) : text
}

/** Notifications of one method in an answer. */
export function told({ received }: Exchange, method: string): readonly Json[] {
  return received.filter((message) => message['method'] === method)
}

/** The answer within a session to a request of the server, which comes as a POST of its own. */
export function answerTo(
  exchanges: readonly Exchange[],
  session: string | undefined,
  id: unknown,
): Promise<Exchange> {
  return until(`a POST that answers ${JSON.stringify(id)}`, () =>
    exchanges.findLast(
      ({ sent, headers }) =>
        sent !== undefined &&
        sent['method'] === undefined &&
        sent['id'] === id &&
        headers['mcp-session-id'] === session,
    ),
  )
}
