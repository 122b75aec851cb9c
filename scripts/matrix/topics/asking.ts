import {
  answerTo,
  type Cell,
  call,
  clientCalls,
  isMirrored,
  resultOf,
  textIn,
  upstreamCalls,
} from '../cell.ts'
import { holds, only, same } from '../wire/expect.ts'
import { dig, digObject, type Json, without } from '../wire/json.ts'
import type { Exchange } from '../wire/recorder.ts'

/** A question as it passed at one end, and the answer that went back. */
interface Asked {
  readonly method: unknown
  readonly params: Json
  readonly answer: unknown
}

export interface Question {
  readonly method: string
  readonly params: Json
  /** What the client's user, model or file system says. */
  readonly answer: Json
}

/**
 * Calls a tool that asks these questions, one after the other, and looks at both ends: the client
 * was asked what the server wanted to know, in its own era's way; the server got the client's
 * answers, in its own; and the tool came to its end once.
 */
export async function assertAsked(
  cell: Cell,
  tool: string,
  questions: readonly Question[],
): Promise<Json> {
  const result = await call(cell, tool, {}, { part: tool })
  const answers = questions.map(({ answer }) => answer)
  same('what the tool was answered', textIn(result), answers.length === 1 ? answers[0] : answers)
  const atClient = await CLIENT_ENDS[cell.clientEra](cell, tool, questions.length)
  const atUpstream = await UPSTREAM_ENDS[cell.upstreamEra](cell, tool, questions.length)
  for (const [index, { method, params, answer }] of questions.entries()) {
    const client = atClient[index]
    const upstream = atUpstream[index]
    same('the method at the client', client?.method, method)
    same('the method at the upstream', upstream?.method, method)
    same('what the upstream asked', essence(upstream?.params ?? {}), params)
    same('what the client was asked', essence(client?.params ?? {}), params)
    same('the answer at the client', client?.answer, answer)
    same('the answer at the upstream', upstream?.answer, client?.answer)
    checkElicitationId(cell, client, upstream)
  }
  same('how often the tool ended', cell.upstream.stage.ends(`${cell.nonce}/${tool}`), 1)
  return result
}

/** Each end's own way to say the same: a form may go without its mode, a link has no id since 2026. */
function essence(params: Json): Json {
  const plain = without(params, 'elicitationId', '_meta')
  return plain['mode'] === 'form' ? without(plain, 'mode') : plain
}

function checkElicitationId(cell: Cell, client?: Asked, upstream?: Asked): void {
  if (client?.params['mode'] !== 'url') return
  const expected = { legacy: 'string', modern: 'undefined' } as const
  const seen = client.params['elicitationId']
  same('elicitationId at the client', typeof seen, expected[cell.clientEra])
  if (isMirrored(cell) && cell.place === 'single') {
    same('elicitationId', seen, upstream?.params['elicitationId'])
  }
}

const CLIENT_ENDS = { modern: modernClientEnd, legacy: legacyClientEnd } as const
const UPSTREAM_ENDS = { modern: modernUpstreamEnd, legacy: legacyUpstreamEnd } as const

/** Rounds: each answer asks, each next request carries what was answered, and the state exactly. */
async function modernClientEnd(cell: Cell, tool: string, rounds: number): Promise<Asked[]> {
  const calls = clientCalls(cell, tool)
  same('calls at the modern client', calls.length, rounds + 1)
  same('ids at the modern client', new Set(calls.map(({ sent }) => sent?.['id'])).size, rounds + 1)
  same('the last resultType', resultOf(calls.at(-1) as Exchange)['resultType'], 'complete')
  const states = calls.slice(0, -1).map((exchange) => resultOf(exchange)['requestState'])
  for (const state of states) {
    holds('the client got no requestState', typeof state === 'string' && state !== '', state)
    const theirs = upstreamCalls(cell, tool).map((served) => resultOf(served)['requestState'])
    holds("the client got the server's own requestState", !theirs.includes(state))
  }
  return roundsOf(calls)
}

async function modernUpstreamEnd(cell: Cell, tool: string, rounds: number): Promise<Asked[]> {
  const calls = upstreamCalls(cell, tool)
  same('calls at the modern upstream', calls.length, rounds + 1)
  return roundsOf(calls)
}

function roundsOf(calls: readonly Exchange[]): Asked[] {
  return calls.slice(0, -1).map((exchange, index) => {
    const result = resultOf(exchange)
    same('resultType of a round', result['resultType'], 'input_required')
    const [key = '', request] = only(
      'inputRequests',
      Object.entries(digObject(result, 'inputRequests')),
    )
    const retry = digObject(calls[index + 1]?.sent, 'params')
    same('the requestState that came back', retry['requestState'], result['requestState'])
    same('the keys that were answered', Object.keys(digObject(retry, 'inputResponses')), [key])
    return {
      method: dig(request, 'method'),
      params: digObject(request, 'params'),
      answer: dig(retry, 'inputResponses', key),
    }
  })
}

/** Requests of the server on the stream of the one call, each answered by a POST of its own. */
async function legacyClientEnd(cell: Cell, tool: string, rounds: number): Promise<Asked[]> {
  const asked = only('calls at the legacy client', clientCalls(cell, tool))
  same('what came last', asked.received.at(-1)?.['id'], asked.sent?.['id'])
  return requestsOn(asked, cell.client.wire.exchanges, rounds)
}

async function legacyUpstreamEnd(cell: Cell, tool: string, rounds: number): Promise<Asked[]> {
  const served = only('calls at the legacy upstream', upstreamCalls(cell, tool))
  same('how often the tool began', cell.upstream.stage.starts(`${cell.nonce}/${tool}`), 1)
  return requestsOn(served, cell.upstream.wire.exchanges, rounds)
}

async function requestsOn(
  exchange: Exchange,
  exchanges: readonly Exchange[],
  rounds: number,
): Promise<Asked[]> {
  const requests = exchange.received.filter(
    (message) => message['method'] !== undefined && message['id'] !== undefined,
  )
  same('requests on the stream of the call', requests.length, rounds)
  // A server counts its requests session by session.
  const session = exchange.headers['mcp-session-id']
  return Promise.all(
    requests.map(async (request) => {
      const answer = await answerTo(exchanges, session, request['id'])
      same('the status of an answer', answer.status, 202)
      return {
        method: request['method'],
        params: digObject(request, 'params'),
        answer: answer.sent?.['result'],
      }
    }),
  )
}
