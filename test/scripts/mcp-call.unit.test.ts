import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { callTool } from '../../scripts/cli/mcp-call.ts'

/** Several servers behind one endpoint: `new` speaks the modern era, `old` the legacy one. */
describe('a call from the command line', () => {
  let server: Server
  let url: string
  const called: string[] = []
  const text = (value: string) => ({ content: [{ type: 'text', text: value }] })

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const body = await bodyOf(request)
      const { id, method, params } = JSON.parse(body || '{}')
      if (id === undefined) return void response.writeHead(202).end()
      const isModern = request.headers['mcp-protocol-version'] === '2026-07-28'
      if (method === 'tools/call') called.push(`${isModern ? 'modern' : 'legacy'} ${params.name}`)
      response.writeHead(200, { 'content-type': 'application/json' })
      const base = { jsonrpc: '2.0', id }
      const result = resultOf(isModern, method, params?.name)
      const error = { code: -32602, message: `Unknown tool: ${params?.name}` }
      response.end(JSON.stringify(result ? { ...base, result } : { ...base, error }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/mcp`
  })
  afterAll(() => {
    server.close()
  })
  beforeEach(() => {
    called.length = 0
  })

  function resultOf(isModern: boolean, method: string, tool: unknown): object | undefined {
    const about = { capabilities: { tools: {} } }
    const complete = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }
    switch (method) {
      case 'server/discover':
        return { ...complete, ...about, supportedVersions: ['2026-07-28'] }
      case 'initialize':
        return {
          ...about,
          protocolVersion: '2025-11-25',
          serverInfo: { name: 'x', version: '1' },
        }
      case 'tools/list':
        return { ...(isModern ? complete : {}), tools: [] }
      default:
        if (tool !== (isModern ? 'new' : 'old')) return undefined
        return { ...(isModern ? complete : {}), ...text(`${tool} ran`) }
    }
  }

  const call = (tool: string) => callTool({ url, token: 't', tool, args: {} })

  it('reaches a tool in the modern era without asking in the other', async () => {
    expect(await call('new')).toMatchObject(text('new ran'))
    expect(called).toEqual(['modern new'])
  })

  it('reaches a tool that is there in the legacy era alone', async () => {
    expect(await call('old')).toMatchObject(text('old ran'))
    expect(called).toEqual(['modern old', 'legacy old'])
  })

  it('says that a tool is unknown where neither era has it', async () => {
    await expect(call('none')).rejects.toThrow('Unknown tool: none')
    expect(called).toEqual(['modern none', 'legacy none'])
  })
})

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
