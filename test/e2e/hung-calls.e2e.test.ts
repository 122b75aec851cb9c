import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { callModern, messageOf, openLegacy, type Stack, startStack } from '../support/e2e.ts'
import { onLoopback } from '../support/loopback.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'
import { type RunningUpstream, startEverything } from '../support/processes.ts'
import { textOf } from './clients/foreign-client.ts'
import { connectSseV1 } from './clients/sse.ts'

/** How a server hangs: before it says anything, or within a body whose size it told. */
const WAYS = ['silent', 'half'] as const
/** Within what is read in parts: events, an answer too large to be held or of unknown size, a refusal. */
const FLOWING = ['events', 'large', 'chunked', 'refused'] as const
const ALL_WAYS = [...WAYS, ...FLOWING]
const TIMEOUT_MS = 1_000

/** On a real workerd, which closes what a request still waits for when the request is over. */
let stack: Stack
let modern: ModernServer
let everything: RunningUpstream
let hanging: { origin: string; stop(): Promise<void> }[]
let token = ''
/** Of calls that hang: what they are, when they came and when their connection was closed. */
const came: string[] = []
const closed: string[] = []
/** Whether the end of a session is answered. */
let hangsDelete = false
beforeAll(async () => {
  ;[stack, modern, everything] = await Promise.all([
    startStack(),
    startModernServer(),
    startEverything(),
  ])
  hanging = await Promise.all([modern, everything].map(({ url }) => startHanging(url)))
  const names = ['modern', 'everything']
  for (const [at, { origin }] of hanging.entries()) {
    await stack.register(names[at] ?? '', `${origin}/mcp`, { timeoutMs: TIMEOUT_MS })
  }
  // One seat: whose call is not seen to be over keeps everybody out.
  const resilience = { bulkhead: { maxConcurrent: 1, maxQueued: 5, queueMs: 1_000 } }
  for (const [at, { origin }] of hanging.entries()) {
    const path = `patient-${names[at]}`
    await stack.register(path, `${origin}/mcp`, { timeoutMs: 20_000, resilience })
  }
  token = await stack.adminToken()
})
afterAll(() =>
  Promise.all([stack, modern, everything, ...(hanging ?? [])].map((part) => part.stop())),
)
beforeEach(() => {
  came.length = 0
  closed.length = 0
  hangsDelete = false
})

it.each(WAYS)('a modern call that hangs (%s) is answered in time, and left', async (way) => {
  const response = await callModern(stack.mcp('modern'), token, 'echo', { message: way })
  expect(await messageOf(response)).toMatchObject({ error: { data: { code: 'upstream_timeout' } } })
  await expect.poll(() => closed).toEqual([way])
})

it.each(WAYS)('a legacy call that hangs (%s) is answered in time, and left', async (way) => {
  const send = await openLegacy(stack.mcp('everything'), token)
  const params = { name: 'echo', arguments: { message: way } }
  const answer = await messageOf(await send({ id: way, method: 'tools/call', params }))
  expect(answer).toMatchObject({ id: way, error: { data: { code: 'upstream_timeout' } } })
  await expect.poll(() => closed).toEqual([way])
})

it('calls that hang beside each other are left, and others answered', async () => {
  const url = stack.mcp('modern')
  const hung = WAYS.map((message) => callModern(url, token, 'echo', { message }))
  const fine = await messageOf(await callModern(url, token, 'echo', { message: 'fine' }))
  expect(fine).toMatchObject({ result: { content: [{ text: 'Echo: fine' }] } })
  for (const response of await Promise.all(hung)) {
    expect(await messageOf(response)).toMatchObject({
      error: { data: { code: 'upstream_timeout' } },
    })
  }
  await expect.poll(() => [...closed].sort()).toEqual(['half', 'silent'])
})

it.each(WAYS)(
  'a call (%s) within a stream of 2024-11-05 is left, and the stream goes on',
  async (way) => {
    const url = `${stack.gateway.url}/everything/sse`
    const { client, call } = await connectSseV1({ url, token, name: 'e2e' })
    await expect(call('echo', { message: way })).rejects.toThrow(/did not .* within/)
    await expect.poll(() => closed).toEqual([way])
    expect(textOf(await call('echo', { message: 'fine' }))).toBe('Echo: fine')
    await client.close()
  },
)

describe('when its caller leaves, a call that hangs is left, its seat free, and the event line says so', () => {
  const echo = (message: string) => ({
    id: message,
    method: 'tools/call',
    params: { name: 'echo', arguments: { message } },
  })

  it.each(ALL_WAYS)('(%s) of a modern client at a modern server', async (way) => {
    await expectLeft(way, 'patient-modern', (message) =>
      callModern(stack.mcp('patient-modern'), token, 'echo', { message }),
    )
  })

  it.each(ALL_WAYS)('(%s) of a modern client at a legacy server', async (way) => {
    await expectLeft(way, 'patient-everything', (message) =>
      callModern(stack.mcp('patient-everything'), token, 'echo', { message }),
    )
  })

  it.each(ALL_WAYS)('(%s) of a legacy client in its session', async (way) => {
    const send = await openLegacy(stack.mcp('patient-everything'), token)
    await expectLeft(way, 'patient-everything', (message) => send(echo(message)))
  })

  it('also when he leaves after a while', async () => {
    const call = (message: string) =>
      callModern(stack.mcp('patient-modern'), token, 'echo', { message })
    await expectLeft('silent', 'patient-modern', call, 150)
  })

  it('at once, whatever its request still has to do (proxy_request, whose session hangs)', async () => {
    hangsDelete = true
    const reset = await sendApart(() =>
      callModern(`${stack.gateway.url}/mcp`, token, 'proxy_request', {
        server: 'patient-everything',
        params: { name: 'echo', arguments: { message: 'silent' } },
      }),
    )
    await expect.poll(() => came).toEqual(['silent'])
    reset()
    await expect.poll(() => closed).toEqual(['silent'])
  })

  /** `afterMs`: who leaves at once is looked for only when the call has run on (`Deadline.hear`). */
  async function expectLeft(
    way: string,
    server: string,
    call: (message: string) => Promise<Response>,
    afterMs = 0,
  ): Promise<void> {
    const before = cancelled(server)
    const reset = await sendApart(() => call(way))
    await expect.poll(() => came, { interval: 2 }).toEqual([way])
    await setTimeout(afterMs)
    expect(closed).toEqual([])
    reset()
    await expect.poll(() => closed).toEqual([way])
    await expect.poll(() => cancelled(server)).toBe(before + 1)
    expect(await messageOf(await call('fine'))).toMatchObject({
      result: { content: [{ text: 'Echo: fine' }] },
    })
  }

  const cancelled = (path: string) =>
    stack.events().filter(({ outcome, server }) => outcome === 'cancelled' && server === path)
      .length
})

/** What `call` would fetch, on a connection of its own; gives what resets that (`fetch` ends its own politely). */
async function sendApart(call: () => Promise<Response>): Promise<() => void> {
  const fetching = vi.spyOn(globalThis, 'fetch').mockResolvedValueOnce(new Response())
  await call()
  const [url, init] = fetching.mock.calls[0] ?? []
  fetching.mockRestore()
  const headers = Object.fromEntries(new Headers(init?.headers))
  const request = httpRequest(String(url), { method: 'POST', agent: false, headers })
  request.on('error', () => undefined)
  request.end(init?.body)
  return () => request.socket?.resetAndDestroy()
}

/** The server at `url`, but for calls whose message is one of `ALL_WAYS`. */
function startHanging(url: string) {
  return onLoopback(
    createServer((request, response) => {
      hangOrPass(url, request, response).catch(() => response.destroy())
    }),
  )
}

/** As far as it comes. */
function beginAnswer(way: (typeof ALL_WAYS)[number], response: ServerResponse): void {
  if (way === 'silent') return
  if (way === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': it has begun\n\n')
    return
  }
  const length = way === 'large' ? 400_000 : 1_000
  const size = way === 'chunked' ? {} : { 'content-length': length }
  response.writeHead(way === 'refused' ? 400 : 200, {
    'content-type': 'application/json',
    ...size,
  })
  response.write('{"jsonrpc":"2.0",')
  if (way === 'large') response.write(`"result":{"text":"${'x'.repeat(200_000)}`)
}

async function hangOrPass(
  url: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Its connection ends with the server.
  if (hangsDelete && request.method === 'DELETE') return
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const body = Buffer.concat(parts).toString()
  const way = ALL_WAYS.find((each) => body.includes(`"message":"${each}"`))
  if (way !== undefined) {
    came.push(way)
    response.on('close', () => closed.push(way))
    beginAnswer(way, response)
    return
  }
  const {
    host: _host,
    'content-length': _length,
    connection: _connection,
    ...headers
  } = request.headers
  const answer = await fetch(url, {
    method: request.method ?? 'POST',
    headers: Object.entries(headers).map(([name, value]) => [name, String(value)]),
    ...(body === '' ? {} : { body }),
  })
  const own = [...answer.headers].filter(([name]) => name !== 'transfer-encoding')
  response.writeHead(answer.status, Object.fromEntries(own))
  for await (const part of answer.body ?? []) response.write(part)
  response.end()
}
