import { type Cell, ofMethod } from '../cell.ts'
import { holds, only, same, until } from '../wire/expect.ts'
import { dig, digObject, type Json } from '../wire/json.ts'
import type { Exchange } from '../wire/recorder.ts'

const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'

/** Notices of one method at the client, wherever they came. */
export function noticesOf({ client }: Cell, method: string): readonly Json[] {
  return client.wire.exchanges.flatMap(({ received }) =>
    received.filter((message) => message['method'] === method),
  )
}

/** How many of them reached the client's handlers. */
export function heard({ client }: Cell, wanted: string): number {
  return client.notices.filter(({ method }) => method === wanted).length
}

/**
 * Waits until the client hears nothing for a moment: of changes in earlier cells, whose notices take
 * a while to reach everybody. Exactly one notice per change can be counted only from there on.
 */
export async function untilQuiet({ client }: Cell): Promise<void> {
  for (let heardSoFar = -1; heardSoFar !== client.notices.length; ) {
    heardSoFar = client.notices.length
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  }
}

/** A server that changes again and again is told of once a second, after it was asked. */
const QUIET_MS = 1_500

/**
 * The notices came on the stream that the client's era has for them: by GET, or a subscription that
 * was acknowledged first, whose messages all bear the id of the request that opened it.
 */
export function checkWatchingStream(
  cell: Cell,
  method: string,
  uris: readonly string[] = [],
): void {
  const { exchanges } = cell.client.wire
  if (cell.clientEra === 'legacy') {
    const streams = exchanges.filter(({ method: verb, status }) => verb === 'GET' && status === 200)
    const stream = only('streams by GET', streams)
    holds(`no ${method} on the stream`, countOf(stream, method) > 0)
    same('notices elsewhere', noticesOf(cell, method).length, countOf(stream, method))
    return
  }
  const stream = only('subscriptions', ofMethod(exchanges, 'subscriptions/listen'))
  const [first, ...more] = stream.received
  same('what came first', first?.['method'], 'notifications/subscriptions/acknowledged')
  same('what was honoured', digObject(first, 'params', 'notifications'), {
    toolsListChanged: true,
    ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
  })
  for (const message of [first, ...more]) {
    const where = 'result' in (message ?? {}) ? 'result' : 'params'
    const id = dig(message, where, '_meta', SUBSCRIPTION_ID)
    same('the id of the subscription', id, dig(stream.sent, 'id'))
  }
  same('notices elsewhere', noticesOf(cell, method).length, countOf(stream, method))
}

/**
 * Waits until the upstream has no listener left, for the list of tools or for a resource. A client
 * that hung up is noticed when something is written to it: so there is something to write.
 */
export function untilUnwatched(
  { upstream }: Cell,
  change: () => void,
  uri?: string,
): Promise<true> {
  const look = () => {
    if (!upstream.isWatched(uri)) return true
    change()
    return false
  }
  return until('nobody who listens at the upstream', look, { everyMs: CHANGE_EVERY_MS })
}

/** Each change of the list of tools makes it longer. */
const CHANGE_EVERY_MS = 100

function countOf({ received }: Exchange, method: string): number {
  return received.filter((message) => message['method'] === method).length
}
