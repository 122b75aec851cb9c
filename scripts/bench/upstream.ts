import { createServer } from 'node:http'

/**
 * The fastest upstream that is still one: plain node:http, the modern era, one tool, a fixed answer
 * of about 800 bytes. Prints one line of JSON with its URL once it listens.
 */
const META = { 'io.modelcontextprotocol/serverInfo': { name: 'bench', version: '1.0.0' } }
const CACHE = { resultType: 'complete', ttlMs: 0, cacheScope: 'private', _meta: META }

const RESULTS: Readonly<Record<string, object>> = {
  'server/discover': {
    ...CACHE,
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {} },
  },
  'tools/list': {
    ...CACHE,
    tools: [
      {
        name: 'echo',
        description: 'Gives back a fixed text.',
        inputSchema: { type: 'object', properties: { message: { type: 'string' } } },
      },
    ],
  },
  'tools/call': {
    resultType: 'complete',
    content: [{ type: 'text', text: 'bench '.repeat(110) }],
    _meta: META,
  },
}
const RESULT_TEXT = new Map(
  Object.entries(RESULTS).map(([method, result]) => [method, JSON.stringify(result)]),
)

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const { id, method } = readMessage(Buffer.concat(chunks).toString())
    const result = RESULT_TEXT.get(method)
    const body = result
      ? `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`
      : `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":{"code":-32601,"message":"unknown"}}`
    response.writeHead(result ? 200 : 404, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  console.log(JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}/mcp` }))
})

/** The load generator and the gateway send well-formed requests; anything else gets the 404. */
function readMessage(text: string): { id: unknown; method: string } {
  try {
    const message: { id?: unknown; method?: unknown } = JSON.parse(text)
    return { id: message.id ?? null, method: String(message.method) }
  } catch {
    return { id: null, method: '' }
  }
}
