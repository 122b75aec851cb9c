import { type Cell, call, clientCalls, ofMethod, told, upstreamCalls } from '../cell.ts'
import { LEVELS, type Level } from '../upstreams/tools.ts'
import { only, same } from '../wire/expect.ts'
import { dig } from '../wire/json.ts'

const METHOD = 'notifications/message'
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'

/** A client hears of what it asked for, from its level on; and the server learns of the level. */
export async function logging(cell: Cell): Promise<void> {
  const { client, clientEra, upstreamEra, place } = cell
  if (clientEra === 'modern' || upstreamEra === 'modern') {
    // In the modern era nobody hears anything unasked.
    await call(cell, 'chatter', {}, { part: 'unasked' })
    same('levels that nobody asked for', levelsAt(cell, 'unasked'), [])
  }

  await client.setLevel('warning')
  await call(cell, 'chatter')
  same('levels at the client', levelsAt(cell), ['warning', 'error'])
  same('the first log message', firstMessage(cell), { level: 'warning', data: 'on warning' })
  checkLevelAtUpstream(cell)

  if (clientEra === 'legacy') {
    if (place === 'single') {
      const expected = upstreamEra === 'legacy' ? 1 : 0
      const sent = ofMethod(cell.atUpstream(), 'logging/setLevel')
      same('logging/setLevel at the upstream', sent.length, expected)
    }
    return
  }
  // Two calls at once, each with its level.
  const both: readonly Level[] = ['debug', 'error']
  await Promise.all(both.map((level) => call(cell, 'chatter', {}, { part: level, level })))
  same('levels of a call that asks for all', levelsAt(cell, 'debug'), LEVELS)
  same('levels of a call that asks for errors', levelsAt(cell, 'error'), ['error'])
}

function checkLevelAtUpstream(cell: Cell): void {
  const served = only('calls at the upstream', upstreamCalls(cell))
  if (cell.upstreamEra === 'modern') {
    same('the level in the call', dig(served.sent, 'params', '_meta', LOG_LEVEL), 'warning')
    return
  }
  const set = ofMethod(cell.upstream.wire.exchanges, 'logging/setLevel').filter(
    ({ headers }) => headers['mcp-session-id'] === served.headers['mcp-session-id'],
  )
  same('the level of the upstream session', dig(set.at(-1)?.sent, 'params', 'level'), 'warning')
}

function levelsAt(cell: Cell, part?: string): unknown[] {
  const asked = only('calls at the client', clientCalls(cell, part))
  return told(asked, METHOD).map((message) => dig(message, 'params', 'level'))
}

function firstMessage(cell: Cell): unknown {
  const [message] = told(only('calls at the client', clientCalls(cell)), METHOD)
  return { level: dig(message, 'params', 'level'), data: dig(message, 'params', 'data') }
}
