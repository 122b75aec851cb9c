import { mediaType, type OutboundResult } from '../../core/index.ts'
import { closeSession } from '../upstream/close-session.ts'
import { COURTESY_MS, tellAll } from '../upstream/courtesy.ts'
import { outcomeOf } from '../upstream/failure.ts'
import { GATEWAY_HELLO } from '../upstream/gateway-hello.ts'
import { type HopTwo, hopTwoHeaders, streamHeaders } from '../upstream/headers.ts'
import { openSession } from '../upstream/open-session.ts'
import { readAnswer } from '../wire/read-answer.ts'
import { openMessages } from '../wire/read-messages.ts'
import { changeIn } from './change-in.ts'
import { hearAll, MAX_HEARD_BYTES } from './hear-all.ts'
import type { Wanted } from './notice.ts'
import type { UpstreamWatch, WatchOpening, WatchRequest } from './upstream-watch.ts'

/** An answer to a subscription is empty. */
const MAX_ANSWER_BYTES = 64 * 1024
/** Requests of a server that are answered at once; what comes meanwhile is not. */
const MAX_ANSWERING = 4
/** These say that the server has no stream, whatever else it has. */
const NO_STREAM: readonly number[] = [400, 404, 405, 406, 501]

/**
 * Watches a legacy server in a session of the gateway's own: its stream, and a subscription for each
 * URI (MCP 2025-11-25, Listening for messages from the server; Resources, Subscriptions).
 */
export async function openSessionWatch(request: WatchRequest): Promise<WatchOpening> {
  const { outbound, server, address } = request
  const { headers: custom, ...at } = address
  const opened = await openSession(outbound, {
    ...{ ...at, server, custom },
    hello: GATEWAY_HELLO,
  })
  if (opened.kind === 'failed') {
    const { outcome, status } = opened
    return { kind: 'failed', outcome, status }
  }
  const { sessionId, version } = opened
  const hop = { custom, version, ...(sessionId === undefined ? {} : { sessionId }) }
  const leave = new AbortController()
  const stream = await outbound.send({
    ...{ ...at, method: 'GET', headers: streamHeaders(hop) },
    signal: leave.signal,
  })
  const giveBack = async (): Promise<void> => {
    if (sessionId !== undefined) await closeSession(outbound, address, sessionId)
  }
  const body = await eventsOf(stream)
  if (!body) {
    await giveBack()
    const isRefused = stream.kind === 'response' && NO_STREAM.includes(stream.response.status)
    return { kind: isRefused ? 'refused' : 'failed', outcome: outcomeOf(stream) }
  }
  const messages = openMessages(body, 'text/event-stream', MAX_HEARD_BYTES)
  const subscriptions = createUpstreamSubscriptions(request, hop)
  let answering = 0
  const ended = hearAll(messages, (message, raw) => {
    if ('method' in message && 'id' in message && answering < MAX_ANSWERING) {
      answering += 1
      void answerServer(request, hop, message).finally(() => {
        answering -= 1
      })
    }
    const change = changeIn(message, raw)
    if (change) request.hear(change)
  })
  const watch: UpstreamWatch = {
    told: await subscriptions.change(request.wanted),
    ended,
    change: subscriptions.change,
    async close() {
      leave.abort()
      await messages.cancel()
      // The end of a session ends its subscriptions.
      if (sessionId === undefined) await subscriptions.change({ lists: [], uris: [] })
      await giveBack()
    },
  }
  return { kind: 'open', outcome: 'success', watch }
}

async function eventsOf(result: OutboundResult): Promise<ReadableStream<Uint8Array> | undefined> {
  if (result.kind === 'fault') return undefined
  const { response } = result
  const type = mediaType(response.headers.get('content-type'))
  if (response.ok && response.body && type === 'text/event-stream') return response.body
  await response.body?.cancel()
  return undefined
}

/** The subscriptions of one session, each made once for all who want it. */
function createUpstreamSubscriptions({ outbound, address, uuid }: WatchRequest, hop: HopTwo) {
  const held = new Set<string>()

  async function ask(verb: 'subscribe' | 'unsubscribe', uri: string): Promise<boolean> {
    const id = uuid()
    const timeoutMs = Math.min(address.timeoutMs, COURTESY_MS)
    const result = await outbound.send({
      ...{ ...address, method: 'POST', headers: hopTwoHeaders(hop), timeoutMs },
      body: JSON.stringify({ jsonrpc: '2.0', id, method: `resources/${verb}`, params: { uri } }),
    })
    if (result.kind === 'fault') return false
    const read = await readAnswer(result.response, id, { maxBytes: MAX_ANSWER_BYTES, timeoutMs })
    return read.kind === 'answer' && 'result' in read.message
  }

  return {
    async change({ lists, uris }: Wanted): Promise<Wanted> {
      const goal = new Set(uris)
      const gone = [...held].filter((uri) => !goal.has(uri))
      const fresh = uris.filter((uri) => !held.has(uri))
      const ignore = (): void => undefined
      for (const uri of gone) held.delete(uri)
      await tellAll(gone, async (uri) => void (await ask('unsubscribe', uri)), ignore)
      const subscribe = async (uri: string): Promise<void> => {
        if (await ask('subscribe', uri)) held.add(uri)
      }
      // What is refused, or not answered, is not told; who wanted it learns that.
      await tellAll(fresh, subscribe, ignore)
      return { lists, uris: uris.filter((uri) => held.has(uri)) }
    },
  }
}

/** Nobody is here to answer a server's requests, and a server that waits holds on to memory. */
async function answerServer(
  { outbound, address }: WatchRequest,
  hop: HopTwo,
  { id, method }: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (typeof id !== 'string' && typeof id !== 'number') return
  const error = { code: -32601, message: 'Method not found' }
  const answer = method === 'ping' ? { result: {} } : { error }
  const result = await outbound.send({
    ...{ ...address, method: 'POST', headers: hopTwoHeaders(hop), timeoutMs: COURTESY_MS },
    body: JSON.stringify({ jsonrpc: '2.0', id, ...answer }),
  })
  if (result.kind === 'response') await result.response.body?.cancel()
}
