import { beforeEach, describe, expect, it } from 'vitest'
import { createExchange, type Exchange } from '../../../src/mcp/link/exchange.ts'
import { readMessage } from '../../../src/mcp/link/message.ts'
import type { Member } from '../../../src/mcp/link/route.ts'

/** A hearer that notes what it hears. */
function sink() {
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
const place = (stream?: Sink): Place => ({ stream, level: undefined, uris: new Set() })

let isShared: boolean
let members: Place[]
let exchange: Exchange
beforeEach(() => {
  isShared = false
  members = []
  let tokens = 0
  exchange = createExchange({
    hearers: {
      get isShared() {
        return isShared
      },
      members: () => members,
    },
    uuid: () => {
      tokens += 1
      return `token-${tokens}`
    },
  })
})

const request = (id: string, more = '') =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"x","n":1.0${more}}}`

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

describe('requests on one connection', () => {
  it('go under numbers, and come back under the ids that they had; other bytes stay', () => {
    const [one, two] = [begin(place(), '"a"'), begin(place(), '7')]
    expect(one.text).toBe(request('1'))
    expect(two.text).toBe(request('2'))
    hear('{"jsonrpc":"2.0","id":2,"result":{"n":1.0}}')
    hear('{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}')
    expect(two.sink.heard).toEqual(['{"jsonrpc":"2.0","id":7,"result":{"n":1.0}}', 'end'])
    expect(one.sink.heard).toEqual([
      '{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no"}}',
      'end',
    ])
  })

  it('are answered once, and never by an answer to something else', () => {
    const { sink: heard } = begin(place())
    for (const id of [9, '1', null, [1], 1]) hear({ jsonrpc: '2.0', id, result: {} })
    hear({ jsonrpc: '2.0', id: 1, result: { again: true } })
    expect(heard.heard).toEqual(['{"jsonrpc":"2.0","id":"a","result":{}}', 'end'])
  })

  it('have progress tokens of their own on the way, and their senders see the own ones', () => {
    const [one, two] = [begin(place(), '"a"', '1'), begin(place(), '"b"', '1')]
    expect(one.text).toContain('"_meta":{"progressToken":"token-1","v":2.0}')
    expect(two.text).toContain('"progressToken":"token-2"')
    hear('{"method":"notifications/progress","params":{"progressToken":"token-2","progress":1.0}}')
    hear('{"method":"notifications/progress","params":{"progressToken":1,"progress":1}}')
    expect(one.sink.heard).toEqual([])
    expect(two.sink.heard).toEqual([
      '{"method":"notifications/progress","params":{"progressToken":1,"progress":1.0}}',
    ])
  })

  it('are cancelled by the ids that the other side knows', () => {
    const own = place()
    begin(own, '"a"')
    begin(own, '"b"')
    expect(cancel(own, '"b"')).toBe('{"method":"notifications/cancelled","params":{"requestId":2}}')
    expect(cancel(own, '"gone"')).toBeUndefined()
  })

  it('are cancelled by their own senders alone', () => {
    const [one, other] = [place(), place()]
    begin(one, '"a"')
    expect(cancel(other, '"a"')).toBeUndefined()
    begin(other, '"a"')
    expect(cancel(other, '"a"')).toContain('"requestId":2')
  })

  it('can be cancelled though nobody hears them any more, until they are answered', () => {
    const own = place()
    const call = begin(own, '"a"')
    exchange.leave(call.sink, 0)
    expect(cancel(own, '"a"')).toContain('"requestId":1')
    hear({ jsonrpc: '2.0', id: 1, result: {} })
    expect(call.sink.heard).toEqual([])
    expect(cancel(own, '"a"')).toBeUndefined()
  })

  it('are forgotten half a minute after their hearers left', () => {
    const own = place()
    exchange.leave(begin(own, '"a"').sink, 0)
    exchange.leave(begin(own, '"b"').sink, 30_000)
    expect(cancel(own, '"a"')).toContain('"requestId":1')
    exchange.leave(begin(own, '"c"').sink, 30_001)
    expect(cancel(own, '"a"')).toBeUndefined()
    expect(cancel(own, '"b"')).toContain('"requestId":2')
  })

  it('all fail when the connection breaks', () => {
    const calls = [begin(place()), begin(place())]
    exchange.breakOff()
    expect(calls.map((call) => call.sink.heard)).toEqual([['fail'], ['fail']])
    expect(exchange.running()).toEqual([])
  })

  it('are at most a thousand', () => {
    for (let n = 0; n < 1_000; n += 1) begin(place())
    const call = { member: undefined, id: '"x"', token: undefined, sink: sink() }
    expect(exchange.begin(call, request('"x"'))).toBeUndefined()
  })
})

describe('what a server asks', () => {
  const question = (id: unknown = 'q') => ({ jsonrpc: '2.0', id, method: 'elicitation/create' })
  const refusal = (id: unknown) => ({
    jsonrpc: '2.0',
    id,
    error: { code: -32603, message: 'Nobody is there to answer this request.' },
  })
  const parse = (texts: readonly string[]) => texts.map((text) => JSON.parse(text))

  it('goes to the youngest request that runs', () => {
    const own = place()
    members = [own]
    const [old, young] = [begin(own), begin(own)]
    expect(hear(question())).toEqual([])
    expect(old.sink.heard).toEqual([])
    expect(young.sink.heard).toEqual([JSON.stringify(question())])
    expect(exchange.takeAnswer('"q"')).toBe(true)
    expect(exchange.takeAnswer('"q"')).toBe(false)
  })

  it('goes to the open stream when no request runs', () => {
    const stream = sink()
    members = [place(stream)]
    expect(hear(question())).toEqual([])
    expect(stream.heard).toEqual([JSON.stringify(question())])
  })

  it('is refused when nobody hears it, so that the server does not wait', () => {
    members = [place()]
    expect(parse(hear(question(5)))).toEqual([refusal(5)])
  })

  it('is refused on a connection that clients share: it is for none of them', () => {
    isShared = true
    const own = place(sink())
    members = [own]
    begin(own)
    expect(parse(hear(question()))).toEqual([refusal('q')])
  })

  it('is refused once who was asked has gone', () => {
    const own = place()
    members = [own]
    const call = begin(own)
    hear(question('one'))
    hear(question('two'))
    exchange.takeAnswer('"one"')
    expect(parse(exchange.leave(call.sink, 0))).toEqual([refusal('two')])
    expect(exchange.running()).toEqual([])
    expect(exchange.takeAnswer('"two"')).toBe(false)
  })

  it('is taken back where it was asked', () => {
    const own = place()
    members = [own]
    const [asked] = [begin(own)]
    hear(question())
    begin(own)
    const cancel = { method: 'notifications/cancelled', params: { requestId: 'q' } }
    hear(cancel)
    expect(asked.sink.heard).toEqual([question(), cancel].map((one) => JSON.stringify(one)))
  })

  it('is answered here when it is a ping', () => {
    expect(parse(hear({ jsonrpc: '2.0', id: 3, method: 'ping' }))).toEqual([
      { jsonrpc: '2.0', id: 3, result: {} },
    ])
  })

  it('is at most a hundred things at once', () => {
    const own = place()
    members = [own]
    begin(own)
    for (let n = 0; n < 100; n += 1) expect(hear(question(n))).toEqual([])
    expect(parse(hear(question('more')))).toEqual([refusal('more')])
  })

  it('ends the connection when it comes faster than answers could go out', () => {
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    for (let n = 0; n < 500; n += 1) expect(hear(ping, n)).toHaveLength(1)
    expect(exchange.isGarbled()).toBe(false)
    expect(hear(ping, 600)).toEqual([])
    expect(exchange.isGarbled()).toBe(true)
  })

  it('may come for hours', () => {
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    for (let n = 0; n < 5_000; n += 1) hear(ping, n * 1_000)
    expect(exchange.isGarbled()).toBe(false)
  })
})

describe('what a server tells', () => {
  const log = (level: string) => ({ method: 'notifications/message', params: { level } })
  const changed = { method: 'notifications/tools/list_changed' }
  const updated = (uri: string) => ({ method: 'notifications/resources/updated', params: { uri } })

  it('of changes goes to the open stream, never to a request', () => {
    const own = place(sink())
    members = [own]
    const call = begin(own)
    hear(changed)
    hear(updated('a'))
    expect(call.sink.heard).toEqual([])
    expect(own.stream?.heard).toHaveLength(2)
  })

  it('in its log goes to the request that runs, or else to the stream', () => {
    const own = place(sink())
    members = [own]
    hear(log('info'))
    const call = begin(own)
    hear(log('error'))
    expect(own.stream?.heard).toEqual([JSON.stringify(log('info'))])
    expect(call.sink.heard).toEqual([JSON.stringify(log('error'))])
  })

  it('on a shared connection is told of changes to all, of resources to who subscribed', () => {
    isShared = true
    members = [place(sink()), place(sink())]
    members[1]?.uris.add('a')
    hear(changed)
    hear(updated('a'))
    expect(members.map(({ stream }) => stream?.heard.length)).toEqual([1, 2])
  })

  it('in its log on a shared connection reaches nobody when it could be about several', () => {
    isShared = true
    members = [place(sink()), place(sink())]
    hear(log('info'))
    const [one] = [begin(members[0]), begin(members[1])]
    hear(log('info'))
    expect(one.sink.heard).toEqual([])
    expect(members.map(({ stream }) => stream?.heard)).toEqual([[], []])
  })

  it('in its log on a shared connection reaches the only one who is there, by his level', () => {
    isShared = true
    members = [place(sink()), place(sink())]
    const [own] = members
    if (!own) throw new Error('nobody')
    own.level = 'warning'
    const call = begin(own)
    hear(log('info'))
    hear(log('error'))
    expect(call.sink.heard).toEqual([JSON.stringify(log('error'))])
  })

  it.each(['garbage', '', '[]', '1', '{}', '{"id":1}', '{"method":1}', '{"id":null,"method":"x"}'])(
    'means nothing when it is no message: %s',
    (text) => {
      for (let n = 0; n < 99; n += 1) expect(hear(text)).toEqual([])
      expect(exchange.isGarbled()).toBe(false)
      hear(text)
      expect(exchange.isGarbled()).toBe(true)
    },
  )

  it('is read without being parsed when it is large', () => {
    const call = begin(place())
    const large = 'x'.repeat(300_000)
    hear(`{"result":{"text":"${large}","n":1.0},"jsonrpc":"2.0","id":1}`)
    expect(call.sink.heard[0]).toBe(
      `{"result":{"text":"${large}","n":1.0},"jsonrpc":"2.0","id":"a"}`,
    )
  })
})
