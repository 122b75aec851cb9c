import { afterAll, beforeAll, expect, it } from 'vitest'
import { callModern, messageOf, type Stack, startStack } from '../support/e2e.ts'
import { type ModernServer, startModernServer } from '../support/modern-server.ts'

/** On a real workerd, which keeps apart what each request began: its timers, its signals. */
let stack: Stack
let modern: ModernServer
let token = ''
beforeAll(async () => {
  ;[stack, modern] = await Promise.all([startStack(), startModernServer()])
  const resilience = { bulkhead: { maxConcurrent: 1, maxQueued: 20, queueMs: 20_000 } }
  await stack.register('modern', modern.url, { resilience })
  token = await stack.adminToken()
})
afterAll(() => Promise.all([stack, modern].map((part) => part.stop())))

it('hands the one seat of a server from request to request, past those who left', async () => {
  const url = stack.mcp('modern')
  const held = callModern(url, token, 'slow', { steps: 1, hold: true })
  await expect.poll(() => calls('"slow"').length).toBe(1)

  const leaving = Array.from({ length: 3 }, () => new AbortController())
  const left = leaving.map(({ signal }) =>
    fetch(url, { method: 'POST', signal, ...sent(token, 'gone') }).then(
      () => 'answered',
      () => 'left',
    ),
  )
  const waiting = Array.from({ length: 8 }, (_, index) =>
    callModern(url, token, 'echo', { message: String(index) }).then(messageOf),
  )
  for (const one of leaving) one.abort()
  expect(await Promise.all(left)).toEqual(['left', 'left', 'left'])
  expect(calls('"echo"')).toEqual([])

  modern.release()
  expect((await held).status).toBe(200)
  expect(await Promise.all(waiting)).toMatchObject(
    waiting.map((_, index) => ({ result: { content: [{ text: `Echo: ${index}` }] } })),
  )
  const last = await callModern(url, token, 'echo', { message: 'last' })
  expect(await messageOf(last)).toMatchObject({ result: { content: [{ text: 'Echo: last' }] } })
  expect(calls('"gone"')).toEqual([])
})

const calls = (part: string) =>
  modern.requests.filter(({ rpcMethod, body }) => rpcMethod === 'tools/call' && body.includes(part))

function sent(bearer: string, message: string): { headers: Record<string, string>; body: string } {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'e2e', version: '1' },
  }
  const params = { name: 'echo', arguments: { message }, _meta }
  return {
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  }
}
