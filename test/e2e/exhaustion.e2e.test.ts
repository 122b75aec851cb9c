import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { upstreamAnswers } from '../../scripts/bench/upstream/answers.ts'
import { callModern, messageOf, type Stack, startStack } from '../support/e2e.ts'
import { onLoopback } from '../support/loopback.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'

/** ATTACKS.md, 21, over real sockets: what a test's own isolate cannot show. */
const VARS = { STREAM_STALL_MS: '1000', BODY_TIMEOUT_MS: '1000' }
const MIB = 1024 * 1024

let stack: Stack
let modern: ModernServer
let scripted: ScriptedServer
let token = ''
beforeAll(async () => {
  ;[stack, modern, scripted] = await Promise.all([
    startStack({ vars: VARS }),
    startModernServer(),
    startScriptedServer(),
  ])
  await stack.register('modern', modern.url)
  await stack.register('scripted', `${scripted.origin}/modern/e2e`)
  token = await stack.adminToken()
})
afterAll(() => Promise.all([stack, modern, scripted].map((part) => part.stop())))

const log = async () => {
  const response = await fetch(`${scripted.origin}/log/e2e`)
  return (await response.json()) as { written: [string, number][] }
}

/** The head of a POST, as bytes of a connection. */
function head(path: string, length: number, more = ''): string {
  const { host } = new URL(stack.gateway.url)
  return (
    `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n` +
    'content-type: application/json\r\naccept: application/json, text/event-stream\r\n' +
    `content-length: ${length}\r\n${more}\r\n`
  )
}

function dial(): Promise<Socket> {
  const { hostname, port } = new URL(stack.gateway.url)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => resolve(socket))
    socket.on('error', () => undefined)
  })
}

/** Reads from now on: a connection that is closed takes with it what was not read. */
function answerTo(socket: Socket): () => Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString()
  })
  return async () => {
    await expect.poll(() => text, { timeout: 20_000 }).toMatch(/\r\n\r\n.*\}$/s)
    return text
  }
}

async function echoes(): Promise<void> {
  const response = await callModern(stack.mcp('modern'), token, 'echo', { message: 'hi' })
  expect(await messageOf(response)).toMatchObject({ result: { content: [{ text: 'Echo: hi' }] } })
}

describe('the gateway on a bare workerd', () => {
  it('refuses 50 bodies that drip, and serves others meanwhile', async () => {
    const sockets = await Promise.all(Array.from({ length: 50 }, dial))
    const answersOf = sockets.map(answerTo)
    const timers = sockets.map((socket) => {
      socket.write(head('/modern/mcp', 1_000))
      return setInterval(() => socket.write(' '), 50)
    })
    for (let n = 0; n < 10; n += 1) await echoes()
    const answers = await Promise.all(answersOf.map((answer) => answer()))
    for (const timer of timers) clearInterval(timer)
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 /)
      expect(answer).toContain('"code":"body_timeout"')
    }
    for (const socket of sockets) socket.destroy()
  })

  it.each([10 * MIB, 40 * MIB])(
    'says 413 to a body of %i bytes that is still sent',
    async (size) => {
      for (let times = 0; times < 5; times += 1) {
        const socket = await dial()
        const answer = answerTo(socket)
        socket.write(head('/modern/mcp', size))
        socket.write(Buffer.alloc(size, ' '))
        expect(await answer()).toMatch(/^HTTP\/1\.1 413 .*"code":"body_too_large"/s)
        socket.destroy()
      }
      await echoes()
    },
  )

  it('leaves an endless answer whose client stays and reads nothing', async () => {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const params = { name: 'endless_sse', arguments: {}, _meta: meta }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    const headers =
      'mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: endless_sse\r\n'
    const sockets = await Promise.all(Array.from({ length: 20 }, dial))
    for (const socket of sockets) {
      socket.pause()
      socket.write(head('/scripted/mcp', body.length, headers) + body)
    }
    for (let n = 0; n < 10; n += 1) await echoes()
    const written: [string, number][] = []
    await expect
      .poll(async () => written.push(...(await log()).written), { timeout: 30_000 })
      .toBe(20)
    // What was written lies in the sockets' own buffers, which take what they take.
    for (const [, bytes] of written) expect(bytes).toBeLessThan(32 * MIB)
    const stalled = () => stack.events().filter(({ outcome }) => outcome === 'stalled').length
    await expect.poll(stalled).toBe(20)
    for (const socket of sockets) socket.destroy()
  })

  it('holds no answer that is longer than one of its headers says', async () => {
    let written = 0
    const flood = async (socket: Socket): Promise<void> => {
      socket.on('error', () => undefined)
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n' +
          'transfer-encoding: chunked\r\n\r\n',
      )
      const chunk = `${MIB.toString(16)}\r\n${' '.repeat(MIB)}\r\n`
      for (; written < 64 && !socket.destroyed; written += 1) {
        if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
      }
    }
    const { modern: answers } = upstreamAnswers()
    const liar = await onLoopback(
      createServer(async (request, response) => {
        const { id, method } = JSON.parse((await text(request)) || '{}')
        if (method === 'tools/call') return flood(request.socket)
        const result = answers[method]
        if (result === undefined) return response.writeHead(404).end()
        response.setHeader('content-type', 'application/json')
        response.end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`)
      }),
    )
    await stack.register('liar', `${liar.origin}/mcp`)
    const response = await callModern(stack.mcp('liar'), token, 'echo', {})
    expect(await messageOf(response)).toMatchObject({
      error: { data: { code: 'upstream_failed' } },
    })
    // What lies in the buffers of both sides.
    expect(written).toBeLessThan(16)
    await liar.stop()
  })
})
