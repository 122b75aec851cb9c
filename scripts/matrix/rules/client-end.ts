import type { Cell } from '../cell.ts'
import { isMirrored } from '../cell.ts'
import { holds, same } from '../wire/expect.ts'
import { dig, digObject, type Json } from '../wire/json.ts'
import type { Exchange } from '../wire/recorder.ts'

/** What holds of everything that a client is given, whatever a cell is about. */
export function checkClientEnd(cell: Cell): void {
  const { client, clientEra } = cell
  for (const exchange of client.wire.exchanges) {
    RULES[clientEra](cell, exchange)
  }
}

const LISTS = ['tools/list', 'resources/list', 'resources/read']
const ENVELOPE = 'io.modelcontextprotocol/'

const RULES = { legacy: checkLegacy, modern: checkModern } as const

function checkLegacy({ place }: Cell, { sent, received, status, answerHeaders }: Exchange): void {
  const method = String(dig(sent, 'method'))
  if (method === 'initialize') {
    holds('the client has no session id', answerHeaders['mcp-session-id'] !== undefined)
    same(
      'the version that was negotiated',
      dig(received[0], 'result', 'protocolVersion'),
      '2025-11-25',
    )
  }
  if (sent !== undefined && sent['id'] === undefined) same(`the status of ${method}`, status, 202)
  for (const message of received) {
    const result = digObject(message, 'result')
    for (const member of ['resultType', 'ttlMs', 'cacheScope', 'inputRequests', 'requestState']) {
      holds(`the client got ${member} in answer to ${method}`, !(member in result), result)
    }
    for (const meta of [digObject(result, '_meta'), digObject(message, 'params', '_meta')]) {
      const foreign = Object.keys(meta).filter((key) => key.startsWith(ENVELOPE))
      same(`envelope keys at the client in ${place} ${method}`, foreign, [])
    }
  }
}

function checkModern(cell: Cell, { sent, received, answerHeaders }: Exchange): void {
  const method = String(dig(sent, 'method'))
  holds('the client got a session id', answerHeaders['mcp-session-id'] === undefined)
  for (const message of received) {
    const isRequest = message['method'] !== undefined && message['id'] !== undefined
    holds('the client got a request of the server', !isRequest, message)
    if ('result' in message) checkModernResult(cell, method, digObject(message, 'result'))
  }
}

function checkModernResult(cell: Cell, method: string, result: Json): void {
  const { resultType } = result
  holds(
    `the client got no resultType in answer to ${method}`,
    resultType === 'complete' || resultType === 'input_required',
    result,
  )
  if (resultType !== 'complete' || method === 'subscriptions/listen') return
  const info = digObject(result, '_meta', `${ENVELOPE}serverInfo`)
  holds(`the client got no serverInfo in answer to ${method}`, 'name' in info, result)
  if (!LISTS.includes(method)) return
  same(`cacheScope of ${method}`, result['cacheScope'], 'private')
  holds(`${method} has no ttlMs`, typeof result['ttlMs'] === 'number', result)
  if (!isMirrored(cell) && cell.place === 'single') same(`ttlMs of ${method}`, result['ttlMs'], 0)
}
