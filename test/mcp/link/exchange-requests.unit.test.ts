import { describe, expect, it } from 'vitest'
import { place, request, sink, world } from './exchange-world.ts'

describe('requests on one connection', () => {
  it('go under numbers, and come back under the ids that they had; other bytes stay', () => {
    const { begin, hear } = world()
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
    const { begin, hear } = world()
    const { sink: heard } = begin(place())
    for (const id of [9, '1', null, [1], 1]) hear({ jsonrpc: '2.0', id, result: {} })
    hear({ jsonrpc: '2.0', id: 1, result: { again: true } })
    expect(heard.heard).toEqual(['{"jsonrpc":"2.0","id":"a","result":{}}', 'end'])
  })

  it('have progress tokens of their own on the way, and their senders see the own ones', () => {
    const { begin, hear } = world()
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
    const { begin, cancel } = world()
    const own = place()
    begin(own, '"a"')
    begin(own, '"b"')
    expect(cancel(own, '"b"')).toBe('{"method":"notifications/cancelled","params":{"requestId":2}}')
    expect(cancel(own, '"gone"')).toBeUndefined()
  })

  it('are cancelled by their own senders alone', () => {
    const { begin, cancel } = world()
    const [one, other] = [place(), place()]
    begin(one, '"a"')
    expect(cancel(other, '"a"')).toBeUndefined()
    begin(other, '"a"')
    expect(cancel(other, '"a"')).toContain('"requestId":2')
  })

  it('can be cancelled though nobody hears them any more, until they are answered', () => {
    const { exchange, begin, hear, cancel } = world()
    const own = place()
    const call = begin(own, '"a"')
    exchange.leave(call.sink, 0)
    expect(cancel(own, '"a"')).toContain('"requestId":1')
    hear({ jsonrpc: '2.0', id: 1, result: {} })
    expect(call.sink.heard).toEqual([])
    expect(cancel(own, '"a"')).toBeUndefined()
  })

  it('are forgotten half a minute after their hearers left', () => {
    const { exchange, begin, cancel } = world()
    const own = place()
    exchange.leave(begin(own, '"a"').sink, 0)
    exchange.leave(begin(own, '"b"').sink, 30_000)
    expect(cancel(own, '"a"')).toContain('"requestId":1')
    exchange.leave(begin(own, '"c"').sink, 30_001)
    expect(cancel(own, '"a"')).toBeUndefined()
    expect(cancel(own, '"b"')).toContain('"requestId":2')
  })

  it('all fail when the connection breaks', () => {
    const { exchange, begin } = world()
    const calls = [begin(place()), begin(place())]
    exchange.breakOff()
    expect(calls.map((call) => call.sink.heard)).toEqual([['fail'], ['fail']])
    expect(exchange.running()).toEqual([])
  })

  it('are at most a thousand', () => {
    const { exchange, begin } = world()
    for (let n = 0; n < 1_000; n += 1) begin(place())
    const call = { member: undefined, id: '"x"', token: undefined, sink: sink() }
    expect(exchange.begin(call, request('"x"'))).toBeUndefined()
  })
})
