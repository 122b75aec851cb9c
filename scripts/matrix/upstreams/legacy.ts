import { randomUUID } from 'node:crypto'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import {
  CallToolRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  ResultSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js'
import type { Json } from '../wire/json.ts'
import { createStage, pageOf, type Stage } from './stage.ts'
import { type Caller, LEVELS, type Level, offersOf, runTool, toolsOf } from './tools.ts'
import { CAPABILITIES, host, INSTRUCTIONS, RESOURCE_NOT_FOUND, type Upstream } from './upstream.ts'

const TOOLS = toolsOf('legacy')

/** One client's session, and what it asked for. */
interface Session {
  readonly server: Server
  readonly transport: WebStandardStreamableHTTPServerTransport
  readonly subscribed: Set<string>
  /** It hears everything until it says otherwise. */
  level: Level
}

type Extra = Parameters<Parameters<typeof Server.prototype.setRequestHandler>[1]>[1]

/** How long a parked question may stay open: longer than any cell waits. */
const ASK_TIMEOUT_MS = 300_000

/** A server of 2025-11-25 alone, by SDK v1, with sessions and a stream for each. */
export async function startLegacyUpstream(): Promise<Upstream> {
  const stage = createStage(offersOf(TOOLS))
  const sessions = new Map<string, Session>()
  const { url, wire, stop } = await host((request) => serve(sessions, stage, request))
  return {
    era: 'legacy',
    url,
    wire,
    stage,
    isWatched: (uri) =>
      wire.exchanges.some(({ method, state, status, headers }) => {
        if (method !== 'GET' || state !== 'open' || status !== 200) return false
        const session = sessions.get(headers['mcp-session-id'] ?? '')
        return uri === undefined || session?.subscribed.has(uri) === true
      }),
    isSubscribed: (uri) => [...sessions.values()].some(({ subscribed }) => subscribed.has(uri)),
    changeTools() {
      const { name } = stage.addTool()
      for (const { server } of sessions.values()) void server.sendToolListChanged()
      return name
    },
    changeResource(uri) {
      stage.rewrite(uri)
      for (const { server, subscribed } of sessions.values()) {
        if (subscribed.has(uri)) void server.sendResourceUpdated({ uri })
      }
    },
    async stop() {
      await stop()
      await Promise.all([...sessions.values()].map(({ server }) => server.close()))
    },
  }
}

async function serve(
  sessions: Map<string, Session>,
  stage: Stage,
  request: Request,
): Promise<Response> {
  const id = request.headers.get('mcp-session-id')
  const session = id === null ? await open(sessions, stage) : sessions.get(id)
  if (!session) return refusal(404, -32_001, 'Session not found')
  const response = await session.transport.handleRequest(request)
  // What was no `initialize` has been refused, and opened nothing.
  if (session.transport.sessionId === undefined) await session.server.close()
  return request.method === 'GET' ? begun(response) : response
}

/** A comment at once: Node sends no headers before the first byte, and a silent stream has none. */
function begun(response: Response): Response {
  const comment = new TextEncoder().encode(': open\n\n')
  const first = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => controller.enqueue(comment),
  })
  return response.ok && response.body
    ? new Response(response.body.pipeThrough(first), response)
    : response
}

async function open(sessions: Map<string, Session>, stage: Stage): Promise<Session> {
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, session),
    onsessionclosed: (id) => void sessions.delete(id),
  })
  const server = new Server(
    { name: 'matrix-legacy', version: '1.0.0' },
    { capabilities: CAPABILITIES, instructions: INSTRUCTIONS },
  )
  const session: Session = { server, transport, subscribed: new Set(), level: 'debug' }
  addHandlers(session, stage)
  await server.connect(asTransport(transport))
  return session
}

function addHandlers(session: Session, stage: Stage): void {
  const { server, subscribed } = session
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const { page, more } = pageOf(stage.tools, params?.cursor)
    return { tools: page, ...more }
  })
  server.setRequestHandler(ListResourcesRequestSchema, ({ params }) => {
    const { page, more } = pageOf(stage.resources, params?.cursor)
    return { resources: page, ...more }
  })
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [] }))
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const text = stage.textOf(uri)
    if (text === undefined) throw new McpError(-32_002, RESOURCE_NOT_FOUND, { uri })
    return { contents: [{ uri, text }] }
  })
  server.setRequestHandler(SubscribeRequestSchema, ({ params: { uri } }) => {
    subscribed.add(uri)
    return {}
  })
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params: { uri } }) => {
    subscribed.delete(uri)
    return {}
  })
  server.setRequestHandler(SetLevelRequestSchema, ({ params: { level } }) => {
    session.level = LEVELS.find((known) => known === level) ?? 'debug'
    return {}
  })
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    runTool(TOOLS, params.name, callerOf(session, extra, params.arguments ?? {}), stage),
  )
}

function callerOf(session: Session, extra: Extra, args: Json): Caller {
  const tell: Caller['tell'] = (method, params) =>
    extra.sendNotification(asNotification({ method, params }))
  return {
    args,
    meta: { ...extra._meta },
    signal: extra.signal,
    tell,
    async log(level, data) {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(session.level)) return
      await tell('notifications/message', { level, logger: 'matrix', data })
    },
    async ask(_key, method, params) {
      const isLink = params['mode'] === 'url'
      const elicitationId = randomUUID()
      const answer = await extra.sendRequest(
        asRequest({ method, params: isLink ? { ...params, elicitationId } : params }),
        ResultSchema,
        { timeout: ASK_TIMEOUT_MS },
      )
      if (isLink) await tell('notifications/elicitation/complete', { elicitationId })
      return answer
    },
    async sendAway(_key, link) {
      throw new UrlElicitationRequiredError([{ mode: 'url', ...link, elicitationId: randomUUID() }])
    },
  }
}

function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status })
}

/** v1 was written without exactOptionalPropertyTypes: its own transport does not fit its own type. */
function asTransport(transport: WebStandardStreamableHTTPServerTransport) {
  return transport as unknown as Parameters<Server['connect']>[0]
}

/** The methods of the tools are those that a server may send. */
function asRequest(request: { method: string; params: Json }) {
  return request as Parameters<Extra['sendRequest']>[0]
}

/** @see asRequest */
function asNotification(notification: { method: string; params: Json }) {
  return notification as Parameters<Extra['sendNotification']>[0]
}
