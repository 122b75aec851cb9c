import { type Cell, call, clientCalls, ofMethod, upstreamCalls } from '../cell.ts'
import { only, same, until } from '../wire/expect.ts'
import { dig } from '../wire/json.ts'

const METHOD = 'notifications/cancelled'
/** A modern client only hangs up, which the gateway notices when it next writes to it. */
const NOTICED_MS = 10_000

/** A call that the client gives up is given up at the server, and nothing else is. */
export async function cancel(cell: Cell): Promise<void> {
  const { client, upstream, clientEra, upstreamEra, nonce } = cell
  const giveUp = new AbortController()
  const outcome = call(cell, 'wait', {}, { signal: giveUp.signal, onProgress: () => {} }).then(
    () => 'answered',
    () => 'given up',
  )
  await until('the tool runs', () => upstream.stage.starts(nonce) === 1)
  giveUp.abort()
  same('the outcome at the client', await outcome, 'given up')
  await until('the tool was told to stop', () => upstream.stage.isAborted(nonce), {
    deadlineMs: NOTICED_MS,
  })

  const asked = only('calls at the client', clientCalls(cell))
  const served = only('calls at the upstream', upstreamCalls(cell))
  if (clientEra === 'legacy') {
    const said = only(`${METHOD} by the client`, ofMethod(client.wire.exchanges, METHOD))
    same('whom the client cancelled', dig(said.sent, 'params', 'requestId'), asked.sent?.['id'])
    await until('the answer to the cancel', () => said.status === 202)
  }
  if (upstreamEra === 'legacy') {
    const heard = only(
      `${METHOD} at the upstream`,
      ofMethod(cell.atUpstream(), METHOD).filter(
        ({ sent }) => dig(sent, 'params', 'requestId') === served.sent?.['id'],
      ),
    )
    const session = served.headers['mcp-session-id']
    same('the session of the cancel', heard.headers['mcp-session-id'], session)
  } else {
    same(`${METHOD} at the upstream`, ofMethod(cell.atUpstream(), METHOD), [])
    await until('the end of the call’s stream', () => served.state !== 'open')
  }

  // The client goes on as before.
  await call(cell, 'echo', {}, { part: 'after' })
  same('calls afterwards', upstreamCalls(cell, 'after').length, 1)
  same('runs of the cancelled tool', upstream.stage.starts(nonce), 1)
  // Nor does anything come late.
  same(
    'answers at the client',
    asked.received.filter(({ id }) => id !== undefined),
    [],
  )
}
