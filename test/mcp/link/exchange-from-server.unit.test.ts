import { describe, expect, it } from 'vitest'
import { place, sink, world } from './exchange-world.ts'

describe('what a server asks', () => {
  const question = (id: unknown = 'q') => ({ jsonrpc: '2.0', id, method: 'elicitation/create' })
  const refusal = (id: unknown) => ({
    jsonrpc: '2.0',
    id,
    error: { code: -32603, message: 'Nobody is there to answer this request.' },
  })
  const parse = (texts: readonly string[]) => texts.map((text) => JSON.parse(text))

  it('goes to the youngest request that runs', () => {
    const { hearers, exchange, begin, hear } = world()
    const own = place()
    hearers.members = [own]
    const [old, young] = [begin(own), begin(own)]
    expect(hear(question())).toEqual([])
    expect(old.sink.heard).toEqual([])
    expect(young.sink.heard).toEqual([JSON.stringify(question())])
    expect(exchange.takeAnswer('"q"')).toBe(true)
    expect(exchange.takeAnswer('"q"')).toBe(false)
  })

  it('goes to the open stream when no request runs', () => {
    const { hearers, hear } = world()
    const stream = sink()
    hearers.members = [place(stream)]
    expect(hear(question())).toEqual([])
    expect(stream.heard).toEqual([JSON.stringify(question())])
  })

  it('is refused when nobody hears it, so that the server does not wait', () => {
    const { hearers, hear } = world()
    hearers.members = [place()]
    expect(parse(hear(question(5)))).toEqual([refusal(5)])
  })

  it('is refused on a connection that clients share: it is for none of them', () => {
    const { hearers, begin, hear } = world()
    hearers.isShared = true
    const own = place(sink())
    hearers.members = [own]
    begin(own)
    expect(parse(hear(question()))).toEqual([refusal('q')])
  })

  it('is refused once who was asked has gone', () => {
    const { hearers, exchange, begin, hear } = world()
    const own = place()
    hearers.members = [own]
    const call = begin(own)
    hear(question('one'))
    hear(question('two'))
    exchange.takeAnswer('"one"')
    expect(parse(exchange.leave(call.sink, 0))).toEqual([refusal('two')])
    expect(exchange.running()).toEqual([])
    expect(exchange.takeAnswer('"two"')).toBe(false)
  })

  it('is taken back where it was asked', () => {
    const { hearers, begin, hear } = world()
    const own = place()
    hearers.members = [own]
    const [asked] = [begin(own)]
    hear(question())
    begin(own)
    const cancel = { method: 'notifications/cancelled', params: { requestId: 'q' } }
    hear(cancel)
    expect(asked.sink.heard).toEqual([question(), cancel].map((one) => JSON.stringify(one)))
  })

  it('is answered here when it is a ping', () => {
    const { hear } = world()
    expect(parse(hear({ jsonrpc: '2.0', id: 3, method: 'ping' }))).toEqual([
      { jsonrpc: '2.0', id: 3, result: {} },
    ])
  })

  it('is at most a hundred things at once', () => {
    const { hearers, begin, hear } = world()
    const own = place()
    hearers.members = [own]
    begin(own)
    for (let n = 0; n < 100; n += 1) expect(hear(question(n))).toEqual([])
    expect(parse(hear(question('more')))).toEqual([refusal('more')])
  })

  it('ends the connection when it comes faster than answers could go out', () => {
    const { exchange, hear } = world()
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
    for (let n = 0; n < 500; n += 1) expect(hear(ping, n)).toHaveLength(1)
    expect(exchange.isGarbled()).toBe(false)
    expect(hear(ping, 600)).toEqual([])
    expect(exchange.isGarbled()).toBe(true)
  })

  it('may come for hours', () => {
    const { exchange, hear } = world()
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
    const { hearers, begin, hear } = world()
    const own = place(sink())
    hearers.members = [own]
    const call = begin(own)
    hear(changed)
    hear(updated('a'))
    expect(call.sink.heard).toEqual([])
    expect(own.stream?.heard).toHaveLength(2)
  })

  it('in its log goes to the request that runs, or else to the stream', () => {
    const { hearers, begin, hear } = world()
    const own = place(sink())
    hearers.members = [own]
    hear(log('info'))
    const call = begin(own)
    hear(log('error'))
    expect(own.stream?.heard).toEqual([JSON.stringify(log('info'))])
    expect(call.sink.heard).toEqual([JSON.stringify(log('error'))])
  })

  it('on a shared connection is told of changes to all, of resources to who subscribed', () => {
    const { hearers, hear } = world()
    hearers.isShared = true
    hearers.members = [place(sink()), place(sink())]
    hearers.members[1]?.uris.add('a')
    hear(changed)
    hear(updated('a'))
    expect(hearers.members.map(({ stream }) => stream?.heard.length)).toEqual([1, 2])
  })

  it('in its log on a shared connection reaches nobody when it could be about several', () => {
    const { hearers, begin, hear } = world()
    hearers.isShared = true
    hearers.members = [place(sink()), place(sink())]
    hear(log('info'))
    const [one] = [begin(hearers.members[0]), begin(hearers.members[1])]
    hear(log('info'))
    expect(one.sink.heard).toEqual([])
    expect(hearers.members.map(({ stream }) => stream?.heard)).toEqual([[], []])
  })

  it('in its log on a shared connection reaches the only one who is there, by his level', () => {
    const { hearers, begin, hear } = world()
    hearers.isShared = true
    hearers.members = [place(sink()), place(sink())]
    const [own] = hearers.members
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
      const { exchange, hear } = world()
      for (let n = 0; n < 99; n += 1) expect(hear(text)).toEqual([])
      expect(exchange.isGarbled()).toBe(false)
      hear(text)
      expect(exchange.isGarbled()).toBe(true)
    },
  )

  it('is read without being parsed when it is large', () => {
    const { begin, hear } = world()
    const call = begin(place())
    const large = 'x'.repeat(300_000)
    hear(`{"result":{"text":"${large}","n":1.0},"jsonrpc":"2.0","id":1}`)
    expect(call.sink.heard[0]).toBe(
      `{"result":{"text":"${large}","n":1.0},"jsonrpc":"2.0","id":"a"}`,
    )
  })
})
