import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createMcpHandler, type McpServerFactory } from '@modelcontextprotocol/server'
import { mcpListener } from './listener.ts'

/**
 * Serves a sample at http://127.0.0.1:PORT/mcp in both eras: 2026-07-28, and stateless
 * 2025-03-26 to 2025-11-25. `--port N` chooses the port, 0 (the default) a free one.
 * Prints one line of JSON, `{"ready":true,"url":...}`, once it listens.
 */
export function serveSample(factory: McpServerFactory): void {
  const server = createServer(mcpListener(createMcpHandler(factory, { legacy: 'stateless' })))
  server.on('error', (error) => {
    console.error(error.message)
    process.exit(1)
  })
  server.listen(portFromArguments(), '127.0.0.1', () => {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    console.log(JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}/mcp` }))
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(0))
}

function portFromArguments(): number {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } })
  const port = Number(values.port)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  console.error(`--port must be 0 to 65535, not "${values.port}"`)
  return process.exit(2)
}
