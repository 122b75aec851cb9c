import type { Cell } from '../cell.ts'
import { CLIENT_CAPABILITIES, CLIENT_INFO } from '../clients/client.ts'
import type { Era } from '../upstreams/upstream.ts'
import { holds, same } from '../wire/expect.ts'
import { dig, digObject, isJson, type Json, without } from '../wire/json.ts'
import type { Exchange } from '../wire/recorder.ts'

/**
 * What holds of everything that an upstream is sent for a client, whatever a cell is about. What the
 * gateway asks in its own name may be of either era: it looks anew at a server whose list changed.
 */
export function checkUpstreamEnd(cell: Cell): void {
  for (const exchange of cell.atUpstream()) {
    checkHop(exchange.headers)
    if (!isOwnAffair(cell, exchange)) RULES[cell.upstreamEra](cell, exchange)
  }
}

/** Whether the gateway names itself as the client, in the message or when it opened the session. */
function isOwnAffair({ upstream }: Cell, { headers, sent }: Exchange): boolean {
  if (dig(sent, 'method') === 'tools/call') return false
  const session = headers['mcp-session-id']
  const hello =
    session === undefined
      ? sent
      : upstream.wire.exchanges.find((one) => one.answerHeaders['mcp-session-id'] === session)?.sent
  const name =
    dig(hello, 'params', 'clientInfo', 'name') ??
    dig(hello, 'params', '_meta', `${ENVELOPE}clientInfo`, 'name')
  return name !== undefined && name !== CLIENT_INFO.name
}

const ENVELOPE = 'io.modelcontextprotocol/'
const RULES = { legacy: checkLegacy, modern: checkModern } as const

/** Methods whose name or URI a modern server wants in a header. */
const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
}

function checkLegacy(
  { upstream, clientEra }: Cell,
  { method, headers, sent, status }: Exchange,
): void {
  if (method === 'GET' || method === 'DELETE') {
    holds(`${method} without a session`, headers['mcp-session-id'] !== undefined)
    return
  }
  const rpcMethod = String(dig(sent, 'method'))
  for (const name of ['mcp-method', 'mcp-name']) {
    holds(`the legacy server got ${name} with ${rpcMethod}`, headers[name] === undefined)
  }
  const keys = [...metaKeys(dig(sent, 'params', '_meta'))]
  same(`envelope keys at the legacy server in ${rpcMethod}`, keys, [])
  for (const member of ['inputResponses', 'requestState']) {
    holds(`the legacy server got ${member}`, !(member in digObject(sent, 'params')))
  }
  const session = headers['mcp-session-id']
  if (rpcMethod === 'initialize') {
    same('the session of an initialize', session, undefined)
    return
  }
  if (rpcMethod === 'server/discover' || status === 404) return
  holds(`the legacy server got ${rpcMethod} without a session`, session !== undefined)
  same(`the version of ${rpcMethod}`, headers['mcp-protocol-version'], '2025-11-25')
  if (rpcMethod !== 'tools/call') return
  const opened = upstream.wire.exchanges.find(
    ({ answerHeaders }) => answerHeaders['mcp-session-id'] === session,
  )
  const capabilities = digObject(opened?.sent, 'params', 'capabilities')
  checkCapabilities('the session of a call', capabilities, clientEra)
}

function checkModern({ clientEra }: Cell, { method, headers, sent }: Exchange): void {
  same('the HTTP method at the modern server', method, 'POST')
  holds('the modern server got a session id', headers['mcp-session-id'] === undefined)
  const rpcMethod = String(dig(sent, 'method'))
  holds('the modern server got a response', sent?.['method'] !== undefined, sent)
  holds(`the modern server got ${rpcMethod}`, !LEGACY_ONLY.includes(rpcMethod))
  same(`Mcp-Method of ${rpcMethod}`, headers['mcp-method'], rpcMethod)
  same(`the version header of ${rpcMethod}`, headers['mcp-protocol-version'], '2026-07-28')
  const named = NAMED[rpcMethod]
  if (named) same('Mcp-Name', decoded(headers['mcp-name']), dig(sent, 'params', named))
  const meta = digObject(sent, 'params', '_meta')
  same(`the version in ${rpcMethod}`, meta[`${ENVELOPE}protocolVersion`], '2026-07-28')
  holds(`no capabilities in ${rpcMethod}`, isJson(meta[`${ENVELOPE}clientCapabilities`]), meta)
  if (rpcMethod !== 'tools/call') return
  checkCapabilities('a call', digObject(meta, `${ENVELOPE}clientCapabilities`), clientEra)
  const { name, version } = digObject(meta, `${ENVELOPE}clientInfo`)
  same('the client of a call', { name, version }, pick(CLIENT_INFO))
}

const LEGACY_ONLY = [
  'initialize',
  'notifications/initialized',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'notifications/cancelled',
  'notifications/roots/list_changed',
]

/** The client's own, no more and no less; only changes of roots exist in one era alone. */
function checkCapabilities(where: string, capabilities: Json, era: Era): void {
  const plain = (all: Json) => ({ ...all, roots: without(digObject(all, 'roots'), 'listChanged') })
  same(`the capabilities of ${where}`, plain(capabilities), plain(CLIENT_CAPABILITIES[era]))
}

/** What identifies a client; whether the rest arrives is a plain call's business. */
function pick({ name, version }: typeof CLIENT_INFO): Json {
  return { name, version }
}

/** Nobody's credentials but the gateway's own, which it has none of here. */
function checkHop(headers: Exchange['headers']): void {
  holds('a token reached the upstream', headers['authorization'] === undefined)
}

function* metaKeys(meta: unknown): Iterable<string> {
  if (!isJson(meta)) return
  for (const key of Object.keys(meta)) if (key.startsWith(ENVELOPE)) yield key
}

/** `=?base64?...?=` for what a header cannot hold as it is. */
function decoded(value: string | undefined): string | undefined {
  const [, base64] = /^=\?base64\?(.*)\?=$/.exec(value ?? '') ?? []
  return base64 === undefined ? value : Buffer.from(base64, 'base64').toString()
}
