import { describe, expect, it } from 'vitest'
import { ask, done, FORM, HELD, input, told, world } from './bridge-world.ts'

describe('a call that a legacy server may ask back about', () => {
  it('is handed back as it was refused, without what only an object of ours may say', async () => {
    const { one, server } = world()
    const headers = { 'x-gatehouse-fault': 'refused_address', 'retry-after': '5' }
    server.refusal = new Response(null, { status: 503, headers })
    const seen = await one.run(async (object) => {
      const init = { method: 'POST', body: JSON.stringify(HELD) }
      const response = await object.fetch(new Request('http://bridge/call', init))
      return { status: response.status, headers: Object.fromEntries(response.headers) }
    })
    expect(seen).toEqual({ status: 503, headers: { 'retry-after': '5' } })
  })

  it('is parked by what is asked together, and goes on when all of it was answered', async () => {
    const { one, stream, posted } = world()
    stream.tell({ method: 'notifications/progress', params: { progressToken: 1 } })
    stream.tell(ask(7, 'elicitation/create'))
    stream.tell(ask('x', 'roots/list', {}))
    const { messages } = await one.call()
    expect(messages).toMatchObject([
      { method: 'notifications/progress' },
      {
        id: 'up',
        result: {
          resultType: 'input_required',
          inputRequests: {
            'request-1': { method: 'elicitation/create', params: FORM },
            'request-2': { method: 'roots/list' },
          },
        },
      },
    ])
    // Only one of them: the other one is asked again, under the id of the retry.
    const again = await one.resume({ 'request-1': input, other: {}, 'request-2': 'no object' })
    expect(again.messages).toMatchObject([
      { id: 'next', result: { inputRequests: { 'request-2': { method: 'roots/list' } } } },
    ])
    await one.run(async () => stream.tell(done))
    const last = await one.resume({ 'request-2': { roots: [] } })
    expect(last.messages).toMatchObject([
      { id: 'next', result: { resultType: 'complete', content: [] } },
    ])
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
    expect(posted.filter(({ result }) => result !== undefined)).toMatchObject([
      { id: 7, result: input },
      { id: 'x', result: { roots: [] } },
    ])
    expect((await one.resume({})).status).toBe(410)
  })

  it('gives an answer that came while its client was away', async () => {
    const { one, stream } = world()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    // A stream belongs to the object that reads it.
    await one.run(async () => stream.tell(done))
    await expect
      .poll(async () => {
        await one.run(async () => undefined)
        return stream.isCancelled
      })
      .toBe(true)
    const { messages } = await one.resume({ 'request-1': input })
    expect(messages).toMatchObject([{ id: 'next', result: { resultType: 'complete' } }])
    expect((await one.resume({})).status).toBe(410)
  })

  it('is asked nothing that its client did not declare, and pings are answered', async () => {
    const { one, stream, posted } = world()
    stream.tell(ask(1, 'sampling/createMessage', {}))
    stream.tell(ask(2, 'ping', {}))
    stream.tell(ask(3, 'elicitation/create', { mode: 'url', url: 'https://a.example/' }))
    stream.tell(ask(4, 'tasks/get', {}))
    stream.tell(done)
    const { messages } = await one.call({ capabilities: { elicitation: { form: {} } } })
    expect(messages).toMatchObject([{ id: 'up', result: { resultType: 'complete' } }])
    expect(posted.slice(1)).toMatchObject([
      { id: 1, error: { code: -32601 } },
      { id: 2, result: {} },
      { id: 3, error: { code: -32601 } },
      { id: 4, error: { code: -32601 } },
    ])
  })

  it('is asked what its server asks on the stream of the session', async () => {
    const { one, stream, posted, server } = world()
    server.standalone = told()
    server.standalone.tell(ask(9, 'elicitation/create'))
    const pending = one.call()
    const { messages } = await pending
    expect(messages).toMatchObject([{ result: { resultType: 'input_required' } }])
    await one.run(async () => stream.tell(done))
    await one.resume({ 'request-1': input })
    await expect.poll(() => server.standalone?.isCancelled).toBe(true)
    expect(posted.filter(({ id }) => id === 9)).toMatchObject([{ result: input }])
  })

  it('is asked by a server that answers all at once, before it has said a word', async () => {
    const { one, posted, server } = world()
    server.standalone = told()
    server.standalone.tell(ask(9, 'elicitation/create'))
    let answerAtOnce: (response: Response) => void = () => undefined
    server.late = new Promise((resolve) => {
      answerAtOnce = resolve
    })
    const { messages } = await one.call()
    expect(messages).toMatchObject([{ result: { resultType: 'input_required' } }])
    const resumed = one.resume({ 'request-1': input })
    await expect.poll(() => posted.some(({ id }) => id === 9)).toBe(true)
    await one.run(async () => answerAtOnce(Response.json({ jsonrpc: '2.0', ...done })))
    expect((await resumed).messages).toMatchObject([{ id: 'next' }])
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })

  it('is cancelled at its server when nobody comes back for 15 minutes', async () => {
    const { one, stream, posted, clock } = world()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    clock.at += 14 * 60_000
    await one.alarm()
    expect(stream.isCancelled).toBe(false)
    clock.at += 2 * 60_000
    await one.alarm()
    expect(stream.isCancelled).toBe(true)
    expect(posted.at(-1)).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: 'up' },
    })
    expect((await one.resume({ 'request-1': input })).status).toBe(410)
  })

  it('is over for who comes back to an object that was put away', async () => {
    const { one, stream, posted } = world()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    one.evict()
    expect((await one.resume({ 'request-1': input })).status).toBe(410)
    expect(posted.filter(({ method }) => method === 'tools/call')).toHaveLength(1)
  })

  it('is cancelled when its client leaves, and not while it waits for the client', async () => {
    const { one, stream, posted } = world()
    stream.tell(ask(1, 'elicitation/create'))
    await one.call()
    await one.run((object) => object.cancel('call-1'))
    expect(posted.some(({ method }) => method === 'notifications/cancelled')).toBe(false)
    const resumed = one.resume({ 'request-1': input })
    await expect.poll(() => posted.some(({ result }) => result !== undefined)).toBe(true)
    await one.run((object) => object.cancel('call-1'))
    await resumed
    expect(posted.at(-1)).toMatchObject({ method: 'notifications/cancelled' })
  })
})
