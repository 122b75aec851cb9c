import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, messageOf, openLegacy, type Stack, startStack } from '../support/e2e.ts'
import {
  type RunningUpstream,
  startEverything,
  startSocketEverything,
} from '../support/processes.ts'
import { authorization, namesOf, textOf } from './clients/foreign-client.ts'
import { connectV1 } from './clients/sdk-v1.ts'
import { installInterop } from './interop.ts'

const STARTS = {
  sse: (port?: number) => startEverything(port, 'sse'),
  websocket: (port?: number) => startSocketEverything(port),
} as const
type Started = keyof typeof STARTS

let stack: Stack
let token = ''
const upstreams = new Map<Started, RunningUpstream>()
beforeAll(async () => {
  await installInterop()
  stack = await startStack({ isolates: 2 })
  for (const transport of ['sse', 'websocket'] as const) {
    const upstream = await STARTS[transport]()
    upstreams.set(transport, upstream)
    await stack.register(`over-${transport}`, upstream.url)
  }
  token = await stack.adminToken()
}, 240_000)
afterAll(() => Promise.all([stack, ...upstreams.values()].map((part) => part?.stop())))

async function connectV2(url: string, capabilities: object = {}): Promise<Client> {
  const client = new Client(
    { name: 'e2e', version: '1' },
    { capabilities, versionNegotiation: { mode: 'legacy' } },
  )
  const requestInit = { headers: authorization(token) }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return client
}

/** Gives the address a new process. */
async function restart(transport: Started): Promise<void> {
  const before = upstreams.get(transport)
  await before?.stop()
  upstreams.set(transport, await STARTS[transport](Number(new URL(before?.url ?? '').port)))
}

const echo = (message: string) => ({ name: 'echo', arguments: { message } })
const LONG = { name: 'trigger-long-running-operation', arguments: { duration: 0.6, steps: 3 } }

describe.each(['sse', 'websocket'] as const)('server-everything over %s', (transport) => {
  it('is found to speak it', async () => {
    const { body } = await stack.api('GET', `/servers/over-${transport}`)
    expect(body).toMatchObject({ transport, transportChoice: 'auto', health: 'healthy' })
    expect(body['upstream']).toMatchObject({ eras: 'legacy', sessionful: true })
  })

  it.each([
    ['v1', () => connectV1(stack.mcp(`over-${transport}`), token)],
    ['v2', () => connectV2(stack.mcp(`over-${transport}`))],
  ])("serves the SDK's client %s: lists, calls, reads, progress", async (_version, connect) => {
    const client = await connect()
    expect(namesOf(await client.listTools())).toContain('echo')
    expect(textOf(await client.callTool(echo('hi')))).toBe('Echo: hi')
    expect((await client.listResources()).resources.length).toBeGreaterThan(0)
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
    await client.close()
  })

  it('tells of progress while a call runs', async () => {
    const client = await connectV2(stack.mcp(`over-${transport}`))
    const seen: number[] = []
    const onprogress = ({ progress }: { progress: number }) => seen.push(progress)
    const result = await client.callTool(LONG, { onprogress })
    expect(textOf(result)).toContain('completed')
    expect(seen).toEqual([1, 2, 3])
    await client.close()
  })

  it('is served by two isolates, which share what is open', async () => {
    const send = await openLegacy(stack.mcp(`over-${transport}`, 0), token)
    const other = await openLegacy(stack.mcp(`over-${transport}`, 1), token)
    const call = { id: 1, method: 'tools/call', params: echo('same id') }
    for (const answered of [await send(call), await other(call)]) {
      expect(await messageOf(answered)).toMatchObject({ id: 1, result: {} })
    }
  })

  it('is one of all at the shared endpoint', async () => {
    const client = await connectV2(stack.mcp('mcp').replace('/mcp/mcp', '/mcp'))
    expect(namesOf(await client.listTools())).toContain(`over-${transport}__echo`)
    const result = await client.callTool({ ...echo('all'), name: `over-${transport}__echo` })
    expect(textOf(result)).toBe('Echo: all')
    await client.close()
  })

  it('is connected to again when it comes back, within the same session of the client', async () => {
    const client = await connectV1(stack.mcp(`over-${transport}`), token)
    await client.callTool(echo('before'))
    await restart(transport)
    const after = await eventually(
      () => client.callTool(echo('after')).then(textOf, String),
      (text) => text === 'Echo: after',
      30_000,
    )
    expect(after).toBe('Echo: after')
    await client.close()
  })

  it('is connected to again when the gateway was restarted', async () => {
    const client = await connectV1(stack.mcp(`over-${transport}`), token)
    await client.callTool(echo('before'))
    await stack.gateway.restart({ hard: true })
    expect(textOf(await client.callTool(echo('after')))).toBe('Echo: after')
    await client.close()
  })
})

describe('a question of server-everything over sse', () => {
  it('reaches the client that called', async () => {
    const clients = await Promise.all(
      ['ann', 'bob'].map(async (name) => {
        const client = await connectV2(stack.mcp('over-sse'), { sampling: {} })
        client.setRequestHandler('sampling/createMessage', () => {
          const content = { type: 'text' as const, text: `I am ${name}.` }
          return { role: 'assistant' as const, model: name, content }
        })
        return { client, name }
      }),
    )
    for (const { client, name } of clients) {
      const result = await client.callTool({
        name: 'trigger-sampling-request',
        arguments: { prompt: 'Who?' },
      })
      expect(JSON.stringify(result)).toContain(`I am ${name}.`)
      await client.close()
    }
  })
})
