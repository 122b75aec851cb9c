import { beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, modern, type TestGateway } from '../support/gateway.ts'
import { scriptedRoom } from '../support/scripted-room.ts'

const CUT = 'The server "scripted" closed the connection before its answer was complete.'
const NONE = 'The server "scripted" sent something that is no answer to this request.'
const REDIRECT = 'The server "scripted" answered with a redirect, which is never followed.'
const noAnswer = (status: number) =>
  `The server "scripted" answered with HTTP ${status}, which is not an MCP answer.`
/** After this many failures in a row a server is left alone for a while. */
const FAILURES = [1, 2, 3, 4, 5]
const LARGE = 'The answer of the server "scripted" is larger than 33554432 bytes.'

const call = (token: string, name: string, args: object = {}) =>
  modern(token, 'tools/call', { name, arguments: args }, {}, 'mine')

describe('an upstream that breaks the protocol', () => {
  const liar = scriptedRoom('broken-answers')
  const honest = scriptedRoom('broken-answers-honest')

  /** A gateway with two servers, one of which lies to it. */
  async function start() {
    const gateway = createTestGateway()
    const token = await gateway.token()
    await liar.register(gateway, token, { timeoutMs: 2_000 })
    const endpoints = [{ url: honest.url('modern') }]
    await honest.register(gateway, token, { path: 'honest', endpoints })
    const ask = (name: string, path = 'scripted', args = {}) =>
      gateway.fetch(`/${path}/mcp`, call(token, name, args))
    return { gateway, ask }
  }

  type Ask = Awaited<ReturnType<typeof start>>['ask']

  async function expectHonest(ask: Ask) {
    const response = await ask('echo', 'honest')
    expect(await response.json()).toMatchObject({ id: 'mine', result: { content: [{}] } })
  }

  /** The server is left alone for a while; nobody else notices. */
  async function expectGivenUp(ask: Ask) {
    const refused = await ask('echo')
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({
      id: 'mine',
      error: { code: -31014, data: { code: 'upstream_unavailable' } },
    })
    await expectHonest(ask)
  }

  /** Too large is a bound of ours: with a tool of some size one caller would close it for all. */
  async function expectJudged(ask: Ask, tool: string) {
    const isBounded = ['json_announced', 'json_huge', 'sse_huge'].includes(tool)
    if (!isBounded) return expectGivenUp(ask)
    expect((await ask('echo')).status).toBe(200)
    return expectHonest(ask)
  }

  const error = (message: string, response: Response) => ({
    jsonrpc: '2.0',
    id: 'mine',
    error: {
      code: -31012,
      message,
      data: {
        code: 'upstream_failed',
        fix: expect.stringMatching(/\w/),
        requestId: response.headers.get('x-request-id'),
      },
    },
  })

  it.each<[string, string, string, object?]>([
    ['malformed JSON', 'json_malformed', NONE],
    ['an array', 'json_array', NONE],
    ['two documents', 'json_twice', NONE],
    ['the answer to another request', 'json_foreign', NONE],
    ['neither result nor error', 'json_no_answer', NONE],
    ['no result', 'json_null', NONE],
    ['a text', 'json_text', NONE],
    ['JSON that is nested too deep', 'json_deep', NONE],
    ['nothing', 'empty', CUT],
    ['half a JSON answer', 'die_mid_json', CUT],
    ['the promise of 100 MB', 'json_announced', LARGE],
    ['a redirect', 'redirect', REDIRECT],
    ['a page', 'html', noAnswer(200)],
    ['HTTP 202', 'status', noAnswer(202), { status: 202 }],
  ])(
    'with %s costs its caller one clean error, and is counted where it is no bound of ours',
    async (_what, tool, message, args = {}) => {
      const { gateway, ask } = await start()
      for (const _time of FAILURES) {
        const response = await ask(tool, 'scripted', args)
        expect(response.status).toBe(200)
        expect(response.headers.get('content-type')).toBe('application/json')
        expect(await response.json()).toEqual(error(message, response))
        expect(gateway.events.at(-1)).toMatchObject({
          tool,
          outcome: 'upstream_failed',
          status: 200,
        })
        await expectHonest(ask)
      }
      await expectJudged(ask, tool)
    },
  )

  it.each([
    ['a large answer that is cut off', 'json_large_cut'],
    ['a large answer to another request', 'json_large_foreign'],
    ['an answer of 100 MB', 'json_huge'],
  ])(
    'with %s has its connection broken, and is counted where it is no bound of ours',
    async (_what, tool) => {
      const { gateway, ask } = await start()
      await liar.log()
      for (const _time of FAILURES) {
        const response = await ask(tool)
        const body = await drain(response)
        expect(body.isBroken).toBe(true)
        expect(body.bytes).toBeLessThan(33 * 1024 * 1024)
        await expect
          .poll(() => gateway.events.at(-1))
          .toMatchObject({ tool, outcome: 'upstream_failed', status: 200 })
        await expectHonest(ask)
      }
      await expectJudged(ask, tool)
      if (tool === 'json_huge') {
        const closed: string[] = []
        await expect
          .poll(async () => closed.push(...(await liar.log()).closed) && closed)
          .toEqual(FAILURES.map(() => tool))
      }
    },
  )

  it.each([
    ['malformed JSON', 'sse_malformed', CUT],
    ['half an event', 'sse_half', CUT],
    ['the answer to another request', 'sse_foreign', CUT],
    ['a large answer to another request', 'sse_large_foreign', CUT],
    ['half a large event', 'sse_large_half', CUT],
    ['a line of 100 MB', 'sse_huge', LARGE],
    ['nothing', 'sse_no_answer', CUT],
  ])(
    'in its stream with %s: one error ends it, and is counted where it is no bound of ours',
    async (_what, tool, message) => {
      const { gateway, ask } = await start()
      for (const _time of FAILURES) {
        const response = await ask(tool)
        expect(response.status).toBe(200)
        expect(response.headers.get('content-type')).toBe('text/event-stream')
        const { tail, bytes, isBroken } = await drain(response)
        expect(isBroken).toBe(false)
        expect(bytes).toBeLessThan(33 * 1024 * 1024)
        const events = tail.split('\n\n')
        expect(events.at(-1)).toBe('')
        const [type, data = ''] = (events.at(-2) ?? '').split('\n')
        expect(type).toBe('event: message')
        expect(JSON.parse(data.slice('data: '.length))).toEqual(error(message, response))
        expect(gateway.events.at(-1)).toMatchObject({
          tool,
          outcome: 'upstream_failed',
          status: 200,
        })
        await expectHonest(ask)
      }
      await expectJudged(ask, tool)
    },
  )

  it.each(['sse_malformed_first', 'sse_foreign_first', 'sse_twice'])(
    'around its answer (%s) costs its caller nothing, and is counted',
    async (tool) => {
      const { gateway, ask } = await start()
      for (const _time of FAILURES) {
        const response = await ask(tool)
        expect(await response.text()).toBe(
          'data: {"jsonrpc":"2.0","id":"mine","result":{"content":[]}}\n\n',
        )
        expect(gateway.events.at(-1)).toMatchObject({ tool, outcome: 'ok', status: 200 })
      }
      await expectGivenUp(ask)
    },
  )

  it.each([401, 403])('is not one that wants other credentials (%i)', async (status) => {
    const { ask } = await start()
    for (const _time of FAILURES) await (await ask('status', 'scripted', { status })).text()
    expect((await ask('echo')).status).toBe(200)
  })

  it('now and then is not given up', async () => {
    const { ask } = await start()
    for (const tool of [
      'json_null',
      'sse_foreign',
      'json_array',
      'sse_half',
      'echo',
      'json_twice',
    ]) {
      await (await ask(tool)).text()
    }
    expect((await ask('echo')).status).toBe(200)
  })
})

/** How much a body held, its last characters, and whether it broke off. */
async function drain(response: Response) {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let bytes = 0
  let tail = ''
  try {
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) return { bytes, tail, isBroken: false }
      bytes += next.value.byteLength
      tail = (tail + decoder.decode(next.value.slice(-4_096))).slice(-4_096)
    }
  } catch {
    return { bytes, tail, isBroken: true }
  }
}

describe('an upstream that does unusual things', () => {
  const room = scriptedRoom('unusual-answers')
  let gateway: TestGateway
  let token: string

  beforeAll(async () => {
    gateway = createTestGateway()
    token = await gateway.token()
    await room.register(gateway, token)
  })

  const ask = (name: string) => gateway.fetch('/scripted/mcp', call(token, name))

  it('such as a batch in its stream is understood: each message becomes an event', async () => {
    expect(await (await ask('sse_batch')).text()).toBe(
      'data: {"jsonrpc":"2.0","method":"notifications/x","params":{"n":1.0}}\n\n' +
        'data: {"jsonrpc":"2.0","id":"mine","result":{"content":[]}}\n\n',
    )
  })

  it('such as event ids, which a modern client could not use, has them left out', async () => {
    expect(await (await ask('sse_ids')).text()).toBe(
      'data: {"jsonrpc":"2.0","id":"mine","result":{"content":[]}}\n\n',
    )
  })
})
