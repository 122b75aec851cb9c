import { createExchange } from '../../../src/mcp/link/exchange.ts'
import { readMessage } from '../../../src/mcp/link/message.ts'
import type { Member } from '../../../src/mcp/link/route.ts'

/** A hearer that notes what it hears. */
export function sink() {
  const heard: string[] = []
  return {
    heard,
    write: (text: string) => void heard.push(text),
    end: () => void heard.push('end'),
    fail: () => void heard.push('fail'),
  }
}

type Sink = ReturnType<typeof sink>
type Place = Member & { stream: Sink | undefined; level: string | undefined; uris: Set<string> }

/** Who sends requests, and hears the rest over a stream if he has one. */
export const place = (stream?: Sink): Place => ({ stream, level: undefined, uris: new Set() })

/** The request that `begin` sends, under this id. */
export const request = (id: string, more = '') =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"x","n":1.0${more}}}`

/** An exchange; what `hearers` says of its connection may change under way. */
export function world() {
  const hearers = { isShared: false, members: [] as Place[] }
  let tokens = 0
  const exchange = createExchange({
    hearers: {
      get isShared() {
        return hearers.isShared
      },
      members: () => hearers.members,
    },
    uuid: () => {
      tokens += 1
      return `token-${tokens}`
    },
  })

  /** Begins a request. */
  function begin(member: Place | undefined, id = '"a"', token?: string) {
    const heard = sink()
    const more = token === undefined ? '' : `,"_meta":{"progressToken":${token},"v":2.0}`
    const begun = exchange.begin({ member, id, token, sink: heard }, request(id, more))
    if (!begun) throw new Error('too many')
    return { ...begun, sink: heard }
  }
  const hear = (message: object | string, now = 0) =>
    exchange.hear(typeof message === 'string' ? message : JSON.stringify(message), now)

  /** What becomes of a cancel by this sender. */
  function cancel(member: Place, id: string): string | undefined {
    const text = `{"method":"notifications/cancelled","params":{"requestId":${id}}}`
    const message = readMessage(text)
    return message && exchange.outgoing(member, text, message)
  }
  return { hearers, exchange, begin, hear, cancel }
}
