import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  callModern,
  eventually,
  messageOf,
  openLegacy,
  type Stack,
  startStack,
} from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'
import { type RunningUpstream, startEverything } from '../support/processes.ts'
import { textOf } from './clients/foreign-client.ts'
import { connectV1 } from './clients/sdk-v1.ts'

/** Long enough that it is still running when something is stopped, short enough to wait for. */
const LONG = { name: 'trigger-long-running-operation', arguments: { duration: 1.5, steps: 3 } }
const LONG_SAYS = 'Long running operation completed. Duration: 1.5 seconds, Steps: 3.'
const HEADERS = { 'x-request-id': 'e2e-request' }

let stack: Stack
let modern: ModernServer
let everything: RunningUpstream
let token = ''
beforeAll(async () => {
  ;[stack, modern, everything] = await Promise.all([
    startStack(),
    startModernServer(),
    startEverything(),
  ])
  await stack.register('modern', modern.url)
  await stack.register('everything', everything.url)
  token = await stack.adminToken()
})
afterAll(() => Promise.all([stack, modern, everything].map((part) => part.stop())))

const echo = (message: string, id: unknown = 1) => ({
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: { message } },
})
const echoed = (message: string, id: unknown = 1) => ({
  jsonrpc: '2.0',
  id,
  result: { content: [{ type: 'text', text: `Echo: ${message}` }] },
})
const reopened = () => stack.events().filter(({ type }) => type === 'session_reestablished').length

/** The upstream gets a new process at its address. */
async function restartEverything(): Promise<void> {
  const port = Number(new URL(everything.url).port)
  await everything.stop()
  everything = await startEverything(port)
}

describe('when the gateway restarts in the middle of a legacy session', () => {
  it.each([
    ['is stopped', { hard: false }],
    ['crashes', { hard: true }],
  ])('and %s, the session goes on without a new handshake', async (_how, options) => {
    const client = await connectV1(stack.mcp('everything'), token)
    await client.callTool({ name: 'echo', arguments: { message: 'before' } })
    const before = { pid: stack.gateway.pid(), reopened: reopened() }
    await stack.gateway.restart(options)
    expect(stack.gateway.pid()).not.toBe(before.pid)
    const result = await client.callTool({ name: 'echo', arguments: { message: 'after' } })
    expect(textOf(result)).toBe('Echo: after')
    expect(reopened()).toBe(before.reopened)
    await client.close()
  })

  it('a call under way ends before it stops', async () => {
    const send = await openLegacy(stack.mcp('everything'), token)
    const response = await send({ id: 'long', method: 'tools/call', params: LONG })
    expect(response.status).toBe(200)
    await stack.gateway.restart()
    expect(await messageOf(response)).toMatchObject({
      id: 'long',
      result: { content: [{ text: LONG_SAYS }] },
    })
    expect(await messageOf(await send(echo('next')))).toEqual(echoed('next'))
  })

  it('a call under way is lost in a crash, and the next one answered', async () => {
    const send = await openLegacy(stack.mcp('everything'), token)
    const response = await send({ id: 'long', method: 'tools/call', params: LONG })
    expect(response.status).toBe(200)
    const [lost] = await Promise.all([
      response.text().then(
        () => 'complete',
        () => 'broken off',
      ),
      stack.gateway.restart({ hard: true }),
    ])
    expect(lost).toBe('broken off')
    expect(await messageOf(await send(echo('next')))).toEqual(echoed('next'))
  })
})

describe('when an upstream restarts', () => {
  it('its sessions are opened again and the calls answered', async () => {
    const send = await openLegacy(stack.mcp('everything'), token)
    expect(await messageOf(await send(echo('before')))).toEqual(echoed('before'))
    await restartEverything()
    const before = reopened()
    const answers = await Promise.all(
      [1, 2, 3].map(async (id) => messageOf(await send(echo('again', id)))),
    )
    expect(answers).toEqual([1, 2, 3].map((id) => echoed('again', id)))
    expect(await messageOf(await send(echo('later')))).toEqual(echoed('later'))
    expect(reopened()).toBeGreaterThan(before)
  })

  it('and the gateway crashes as well, the session that was opened again is found', async () => {
    const send = await openLegacy(stack.mcp('everything'), token)
    await restartEverything()
    expect(await messageOf(await send(echo('one')))).toEqual(echoed('one'))
    await stack.gateway.restart({ hard: true })
    expect(await messageOf(await send(echo('two')))).toEqual(echoed('two'))
  })

  it('a session that its client ended stays ended', async () => {
    const client = await connectV1(stack.mcp('everything'), token)
    const sessionId = client.transport?.sessionId ?? ''
    const ended = await fetch(stack.mcp('everything'), {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token}`, 'mcp-session-id': sessionId },
    })
    expect(ended.status).toBe(204)
    await restartEverything()
    await stack.gateway.restart({ hard: true })
    await expect(
      client.callTool({ name: 'echo', arguments: { message: 'ghost' } }),
    ).rejects.toMatchObject({ code: 404, message: expect.stringContaining('"code":-31005') })
    await client.close()
  })
})

describe('when an upstream dies in the middle of a call', () => {
  it('a stream that had begun ends with the error, in 200', async () => {
    const send = await openLegacy(stack.mcp('everything'), token)
    const response = await send({ id: 'long', method: 'tools/call', params: LONG }, HEADERS)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    process.kill(everything.pid, 'SIGKILL')
    expect((await response.text()).split('\n\n').filter(Boolean).at(-1)).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","id":"long","error":{"code":-31012,' +
        '"message":"The server \\"everything\\" closed the connection before its answer was complete.",' +
        '"data":{"code":"upstream_failed",' +
        '"fix":"Whether the request took effect is unknown; check before you send it again.",' +
        '"requestId":"e2e-request"}}}',
    )

    const next = await send(echo('anyone', 'next'), HEADERS)
    expect(next.status).toBe(200)
    expect(next.headers.get('content-type')).toBe('application/json')
    expect(await next.text()).toBe(notReached('everything', '"next"'))

    await restartEverything()
    expect(await messageOf(await send(echo('back')))).toEqual(echoed('back'))
  })

  it('a call that had no answer yet gets the error, in 200, and runs once', async () => {
    modern.requests.length = 0
    const call = callModern(stack.mcp('modern'), token, 'slow', { hold: true, steps: 0 }, HEADERS)
    await eventually(
      async () => modern.requests.length,
      (count) => count > 0,
    )
    modern.killConnections()
    const response = await call
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.text()).toBe(notReached('modern', '1'))
    expect(modern.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call')).toHaveLength(1)
  })
})

function notReached(server: string, id: string): string {
  return (
    `{"jsonrpc":"2.0","id":${id},"error":{"code":-31012,` +
    `"message":"The connection to the server \\"${server}\\" failed or was closed before it answered.",` +
    '"data":{"code":"upstream_failed","fix":"Check the health of the server: gatehouse server health <path>.",' +
    '"requestId":"e2e-request"}}}'
  )
}
