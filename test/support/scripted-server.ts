import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * An upstream that does exactly what a test asks, down to the bytes: its tools are behaviours. It
 * speaks both eras (sessions in the legacy one) by hand, since no SDK would misbehave like this.
 * `GET /log` gives and empties what arrived; `POST /control` changes its mind.
 */
export interface ScriptedServer {
  readonly origin: string
  stop(): Promise<void>
}

interface Recorded {
  readonly httpMethod: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown> }
}

interface Control {
  /** Legacy sessions that are alive. */
  readonly sessions: Set<string>
  /** How an unknown session is refused. */
  forgetStatus: 404 | 400
  log: Recorded[]
  /** Calls that the client's disconnect ended. */
  closed: string[]
  nextSession: number
}

const TOOLS = [
  { name: 'echo', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
  { name: 'exotic', inputSchema: { type: 'object' }, 'x-vendor': { kept: 1.0 } },
  {
    name: 'region',
    inputSchema: {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
    },
  },
  ...['die_before', 'die_mid_json', 'die_mid_sse', 'sse_no_answer', 'hang', 'drip'].map((name) => ({
    name,
    inputSchema: { type: 'object' },
  })),
  ...['redirect', 'status', 'html', 'empty'].map((name) => ({
    name,
    inputSchema: { type: 'object' },
  })),
]

/** Starts it on a free port of loopback. */
export async function startScriptedServer(): Promise<ScriptedServer> {
  const control: Control = {
    sessions: new Set(),
    forgetStatus: 404,
    log: [],
    closed: [],
    nextSession: 1,
  }
  const server = createServer((request, response) => {
    void serve(control, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    origin: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serve(
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString()
  const path = request.url ?? '/'
  if (path === '/log') return sendLog(control, response)
  if (path === '/control') return applyControl(control, body, response)
  const { method = '', headers } = request
  control.log.push({ httpMethod: method, path, headers, body })
  const session = headers['mcp-session-id']
  if (method === 'DELETE') {
    control.sessions.delete(String(session))
    response.writeHead(204).end()
    return
  }
  if (method !== 'POST') {
    response.writeHead(405).end()
    return
  }
  const message = JSON.parse(body) as Message
  const isModern = headers['mcp-method'] !== undefined
  if (isModern) return answer(control, message, response, true)
  if (path.startsWith('/modern')) return refuseLegacy(message, response)
  legacy(control, message, session, response)
}

function legacy(
  control: Control,
  message: Message,
  session: string | string[] | undefined,
  response: ServerResponse,
): void {
  if (message.method === 'initialize') {
    const id = `upstream-${control.nextSession}`
    control.nextSession += 1
    control.sessions.add(id)
    response.setHeader('mcp-session-id', id)
    answer(control, message, response, false)
    return
  }
  if (control.sessions.has(String(session))) {
    answer(control, message, response, false)
    return
  }
  const error = { code: -32001, message: 'Session not found' }
  sendJson(response, { jsonrpc: '2.0', id: null, error }, control.forgetStatus)
}

function answer(
  control: Control,
  message: Message,
  response: ServerResponse,
  isModern: boolean,
): void {
  if (message.id === undefined) {
    response.writeHead(202).end()
    return
  }
  const base = isModern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'public' } : {}
  const reply = (result: object): void =>
    sendJson(response, { result: { ...base, ...result }, jsonrpc: '2.0', id: message.id })
  switch (message.method) {
    case 'server/discover':
      reply({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } })
      return
    case 'initialize':
      reply({
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'scripted', version: '1' },
      })
      return
    case 'tools/list':
      reply({ tools: TOOLS })
      return
    case 'tools/call':
      call(control, message, response, reply)
      return
    default:
      sendJson(response, {
        jsonrpc: '2.0',
        id: message.id,
        error: { code: -32601, message: 'Method not found' },
      })
  }
}

function call(
  control: Control,
  message: Message,
  response: ServerResponse,
  reply: (result: object) => void,
): void {
  const args = message.params?.arguments ?? {}
  const id = JSON.stringify(message.id)
  const startStream = (): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n')
  }
  switch (message.params?.name) {
    case 'exotic': {
      // Written by hand: numbers, order, white space and unknown members that no parser would keep.
      const text = `{"jsonrpc": "2.0", "id": ${id}, "result": {"content":[{"type":"hologram","n":1.0,"big":123456789012345678901}],"x-vendor":{"b":1,"a":2},"_meta":{"vendor/key":"ü"}}, "extra": true}`
      response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=b' })
      response.end(text)
      return
    }
    case 'die_before':
      response.destroy()
      return
    case 'die_mid_json':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.flushHeaders()
      setTimeout(() => response.destroy(), 50)
      return
    case 'die_mid_sse':
      startStream()
      setTimeout(() => response.destroy(), 50)
      return
    case 'sse_no_answer':
      startStream()
      response.end()
      return
    case 'hang':
      startStream()
      response.on('close', () => control.closed.push('hang'))
      return
    case 'drip':
      startStream()
      setTimeout(() => {
        response.write(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":[]}}\n\n`)
        response.end()
      }, 300)
      return
    case 'redirect':
      response.writeHead(307, { location: 'http://169.254.169.254/latest' }).end()
      return
    case 'status':
      response.writeHead(Number(args['status']), { 'content-type': 'application/json' }).end('{}')
      return
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>')
      return
    case 'empty':
      response.writeHead(200, { 'content-type': 'application/json' }).end()
      return
    default:
      reply({ content: [{ type: 'text', text: JSON.stringify(args) }] })
  }
}

function refuseLegacy(message: Message, response: ServerResponse): void {
  const data = { supported: ['2026-07-28'], requested: '2025-11-25' }
  const error = { code: -32022, message: 'Unsupported protocol version', data }
  sendJson(response, { jsonrpc: '2.0', id: message.id ?? null, error }, 400)
}

function sendLog(control: Control, response: ServerResponse): void {
  const { log, closed } = control
  sendJson(response, { log, closed })
  control.log = []
  control.closed = []
}

function applyControl(control: Control, body: string, response: ServerResponse): void {
  const { forgetStatus } = JSON.parse(body) as { forgetStatus?: 404 | 400 }
  control.sessions.clear()
  control.forgetStatus = forgetStatus ?? 404
  response.writeHead(204).end()
}

function sendJson(response: ServerResponse, value: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}
