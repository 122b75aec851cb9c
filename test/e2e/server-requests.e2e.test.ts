import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Stack, startStack } from '../support/e2e.ts'
import { type RunningUpstream, startEverything } from '../support/processes.ts'
import { authorization } from './clients/foreign-client.ts'

let stack: Stack
let everything: RunningUpstream
let token = ''
beforeAll(async () => {
  ;[stack, everything] = await Promise.all([startStack(), startEverything()])
  await stack.register('everything', everything.url)
  token = await stack.adminToken()
})
afterAll(() => Promise.all([stack, everything].map((part) => part.stop())))

/** A client that answers sampling with its own name, and counts how often it was asked. */
async function connectSampler(url: string, name: string) {
  const client = new Client(
    { name, version: '1' },
    { capabilities: { sampling: {} }, versionNegotiation: { mode: 'legacy' } },
  )
  const asked: string[] = []
  client.setRequestHandler('sampling/createMessage', ({ params }) => {
    asked.push(JSON.stringify(params))
    const content = { type: 'text' as const, text: `I am ${name}.` }
    return { role: 'assistant', model: name, content }
  })
  const requestInit = { headers: authorization(token) }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return { client, asked, name }
}

describe('a question of a legacy server in the middle of a call', () => {
  // req: server-request-to-its-client
  // req: client-response-relayed
  it('reaches the client that called, whose answer the server gets', async () => {
    const url = stack.mcp('everything')
    const samplers = await Promise.all(
      ['ann', 'bob', 'cleo'].map((name) => connectSampler(url, name)),
    )
    const results = await Promise.all(
      samplers.map(({ client, name }) => {
        const args = { prompt: `Who calls for ${name}?` }
        return client.callTool({ name: 'trigger-sampling-request', arguments: args })
      }),
    )
    for (const [index, { asked, name, client }] of samplers.entries()) {
      expect(asked).toHaveLength(1)
      expect(asked[0]).toContain(`Who calls for ${name}?`)
      expect(JSON.stringify(results[index])).toContain(`I am ${name}.`)
      await client.close()
    }
  })
})
