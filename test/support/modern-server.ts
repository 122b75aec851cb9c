import { createServer } from 'node:http'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { mcpListener } from '../../scripts/samples/listener.ts'
import { onLoopback } from './loopback.ts'

/** One request as it reached the upstream. */
export interface RecordedRequest {
  /** HTTP method. */
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** `method` of the JSON-RPC message; empty when the body is none. */
  readonly rpcMethod: string
}

export interface ModernServer {
  /** Of its MCP endpoint. */
  readonly url: string
  /** Every request since the start or the last `requests.length = 0`. */
  readonly requests: RecordedRequest[]
  /** Names of tools whose call was cancelled by the caller's disconnect. */
  readonly cancelled: string[]
  /** Lets every waiting and later `slow` call with `hold: true` finish. */
  release(): void
  /** Destroys every open connection, in the middle of whatever it carries. */
  killConnections(): void
  stop(): Promise<void>
}

/**
 * A server of the 2026-07-28 era only, on loopback, in this process: legacy requests are refused.
 * Tools: `echo`, `slow` (progress, then the result), `big`, `region` (x-mcp-header), `fail`.
 * `port` 0 (the default) takes a free one.
 */
export async function startModernServer(port = 0): Promise<ModernServer> {
  const requests: RecordedRequest[] = []
  const cancelled: string[] = []
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const handler = createMcpHandler(() => createModern(released, cancelled), { legacy: 'reject' })
  const server = createServer(
    mcpListener({
      async fetch(request, options) {
        requests.push(await record(request))
        return handler.fetch(request, options)
      },
    }),
  )
  const { origin, stop } = await onLoopback(server, port)
  return {
    url: `${origin}/mcp`,
    requests,
    cancelled,
    release,
    killConnections: () => server.closeAllConnections(),
    async stop() {
      release()
      await handler.close()
      await stop()
    },
  }
}

function createModern(released: Promise<void>, cancelled: string[]): McpServer {
  const server = new McpServer({ name: 'modern', version: '1.0.0' })

  server.registerTool(
    'echo',
    {
      description: 'Gives back the message.',
      inputSchema: z.object({ message: z.string() }),
      annotations: { readOnlyHint: true, idempotentHint: true },
    },
    ({ message }) => textResult(`Echo: ${message}`),
  )

  server.registerTool(
    'slow',
    {
      description: 'Reports `steps` steps of progress, waits when told to hold, then answers.',
      inputSchema: z.object({
        steps: z.number().int().min(0).max(100).default(3),
        stepMs: z.number().int().min(0).max(1000).default(10),
        hold: z.boolean().default(false),
      }),
    },
    async ({ steps, stepMs, hold }, { mcpReq }) => {
      const gone = new Promise<void>((resolve) =>
        mcpReq.signal.addEventListener('abort', () => resolve()),
      )
      void gone.then(() => cancelled.push('slow'))
      const progressToken = mcpReq._meta?.progressToken
      for (let progress = 1; progress <= steps; progress += 1) {
        if (progressToken !== undefined) {
          await mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken, progress, total: steps },
          })
        }
        await new Promise((resolve) => setTimeout(resolve, stepMs))
      }
      if (hold) await Promise.race([released, gone])
      return textResult(`slept ${steps} steps`)
    },
  )

  server.registerTool(
    'big',
    {
      description: 'Answers with this many characters.',
      inputSchema: z.object({ characters: z.number().int().min(0).max(20_000_000) }),
    },
    ({ characters }) => textResult('x'.repeat(characters)),
  )

  server.registerTool(
    'region',
    {
      description: 'Names the region, which clients mirror into the header Mcp-Param-Region.',
      inputSchema: z.object({
        region: z.string().meta({ 'x-mcp-header': 'Region' }),
        note: z.string().optional(),
      }),
    },
    ({ region }) => textResult(`region ${region}`),
  )

  server.registerTool('fail', { description: 'Answers with an error result.' }, () => ({
    ...textResult('it failed, as asked'),
    isError: true,
  }))
  return server
}

function textResult(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}

async function record(request: Request): Promise<RecordedRequest> {
  const body = await request.clone().text()
  return {
    method: request.method,
    headers: Object.fromEntries(request.headers),
    body,
    rpcMethod: /"method"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? '',
  }
}
