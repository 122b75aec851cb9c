import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { onLoopback } from '../../../test/support/loopback.ts'
import type { ChaosServer } from '../servers.ts'
import { answerText, CallArguments, runTool, TOOL_NAMES, TOOLS } from './tools.ts'

/** One time that a tool ran. */
export interface Execution {
  readonly nonce: string
  readonly server: string
  readonly tool: string
  /** Epoch ms. */
  readonly at: number
}

/** A server written by hand: its era can be chosen by path, `/modern`, `/legacy` or `/dual`. */
export interface Upstream {
  url(speaks: ChaosServer['speaks']): string
  stop(): Promise<void>
}

const Message = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string(),
  params: z
    .object({
      name: z.string().optional(),
      arguments: z.unknown().optional(),
      protocolVersion: z.string().optional(),
      _meta: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
})
type Message = z.infer<typeof Message>

interface Reply {
  readonly message: Message
  readonly response: ServerResponse
  readonly isModern: boolean
}

const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'
/** Longer than a gateway keeps a connection that is idle, so that both do not end it at once. */
const KEEP_ALIVE_MS = 60_000
/** Sessions beyond these are forgotten, oldest first: nobody in a run has that many. */
const MAX_SESSIONS = 20_000

/** Starts it on a free port of loopback; it notes each execution of a tool before it answers. */
export async function startUpstream(
  { name, streams }: Pick<ChaosServer, 'name' | 'streams'>,
  note: (execution: Execution) => void,
): Promise<Upstream> {
  const sessions = new Set<string>()

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const speaks = request.url?.slice(1)
    const sessionId = String(request.headers['mcp-session-id'])
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (request.method === 'DELETE') {
      response.writeHead(sessions.delete(sessionId) ? 204 : 404).end()
      return
    }
    if (request.method !== 'POST') {
      response.writeHead(405, { allow: 'POST' }).end()
      return
    }
    const message = Message.parse(JSON.parse(Buffer.concat(chunks).toString()))
    const saysModern = message.params?._meta?.[VERSION_KEY] !== undefined
    const isModern = speaks === 'modern' || (speaks === 'dual' && saysModern)
    const reply = { message, response, isModern }
    if (isModern && !saysModern) refuse(reply, 400, -32_022, 'Unsupported protocol version')
    else if (isModern) await answer(reply)
    else await answerLegacy(reply, sessionId)
  }

  async function answerLegacy(reply: Reply, sessionId: string): Promise<void> {
    if (reply.message.method === 'initialize') {
      const opened = randomUUID()
      sessions.add(opened)
      const [oldest] = sessions
      if (sessions.size > MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest)
      reply.response.setHeader('mcp-session-id', opened)
    } else if (sessionId === 'undefined') {
      refuse(reply, 400, -32_000, 'Bad Request: Server not initialized')
      return
    } else if (!sessions.has(sessionId)) {
      refuse(reply, 404, -32_001, 'Session not found')
      return
    }
    await answer(reply)
  }

  async function answer(reply: Reply): Promise<void> {
    const { message, response } = reply
    if (message.id === undefined) response.writeHead(202).end()
    else if (message.method === 'tools/call') await call(reply)
    else {
      const result = resultOf(message.method, name)
      if (result) finish(reply, result, streams)
      else refuse(reply, reply.isModern ? 404 : 200, -32_601, 'Method not found')
    }
  }

  async function call(reply: Reply): Promise<void> {
    const { message, response } = reply
    const tool = TOOL_NAMES.find((known) => known === message.params?.name)
    const args = CallArguments.safeParse(message.params?.arguments)
    if (!tool || !args.success) return refuse(reply, 200, -32_602, 'No such tool, or no nonce')
    note({ nonce: args.data.nonce, server: name, tool, at: Date.now() })
    const token = message.params?._meta?.['progressToken']
    const isStream = streams || (tool === 'stream' && token !== undefined)
    if (isStream) response.writeHead(200, { 'content-type': 'text/event-stream' })
    await runTool(tool, args.data, (progress, text) => {
      if (token === undefined || !isStream) return
      const params = { progressToken: token, progress, message: text }
      writeEvent(response, { jsonrpc: '2.0', method: 'notifications/progress', params })
    })
    finish(
      reply,
      { content: [{ type: 'text', text: answerText(name, tool, args.data) }] },
      isStream,
    )
  }

  server.keepAliveTimeout = KEEP_ALIVE_MS
  const { origin, stop } = await onLoopback(server)
  return { url: (speaks) => `${origin}/${speaks}`, stop }
}

function resultOf(method: string, name: string): object | undefined {
  const capabilities = { tools: {} }
  switch (method) {
    case 'server/discover':
      return { supportedVersions: [MODERN], capabilities }
    case 'initialize':
      return { protocolVersion: LEGACY, capabilities, serverInfo: { name, version: '1' } }
    case 'tools/list':
      return { tools: TOOLS }
    case 'ping':
      return {}
    default:
      return undefined
  }
}

function finish({ message, response, isModern }: Reply, result: object, isStream: boolean): void {
  const base = isModern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}
  const answer = { jsonrpc: '2.0', id: message.id, result: { ...base, ...result } }
  if (!isStream) {
    sendJson(response, 200, answer)
    return
  }
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
  writeEvent(response, answer)
  response.end()
}

function refuse({ message, response }: Reply, status: number, code: number, text: string): void {
  const data = code === -32_022 ? { data: { supported: [MODERN], requested: LEGACY } } : {}
  const error = { code, message: text, ...data }
  sendJson(response, status, { jsonrpc: '2.0', id: message.id ?? null, error })
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

function writeEvent(response: ServerResponse, message: object): void {
  response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
}
