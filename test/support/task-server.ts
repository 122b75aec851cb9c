import type { Fetcher } from '../../src/core/index.ts'

/** One message as it reached an upstream. */
export interface TaskMessage {
  readonly server: string
  readonly headers: Headers
  readonly id?: unknown
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/** Upstreams inside the test's isolate, by the host name's first label. */
export interface TaskServers {
  readonly fetcher: Fetcher
  readonly posted: TaskMessage[]
}

export const TASKS = 'io.modelcontextprotocol/tasks'

/** Declares the extension, as the `_meta` of a modern request. */
export const DECLARED = {
  'io.modelcontextprotocol/clientCapabilities': { extensions: { [TASKS]: {} } },
}

/** Every server gives its tasks the same ids, so that only the gateway can tell them apart. */
const TASK = { taskId: 'task 1/ü', createdAt: 't', lastUpdatedAt: 't', ttlMs: null }
const REQUIRED = { extensions: { [TASKS]: {} } }
/** As a server of 2025-11-25 describes a tool that runs as a task. */
const TOOLS = ['slow', 'other', 'only'].map((name) => ({
  name,
  inputSchema: { type: 'object' },
  execution: { taskSupport: name === 'only' ? 'required' : 'optional' },
}))

/**
 * `old…` speaks 2025-11-25 with its experimental tasks, `plain…` 2026-07-28 without tasks, any other
 * one 2026-07-28 with the extension: its tool `slow` always becomes a task, whoever asks.
 */
export function createTaskServers(): TaskServers {
  const posted: TaskMessage[] = []
  return {
    posted,
    async fetcher(request) {
      const server = new URL(request.url).hostname.split('.')[0] ?? ''
      const text = await request.text()
      if (text === '') return new Response(null, { status: 405 })
      const { id, method, params = {} } = JSON.parse(text)
      const message: TaskMessage = { server, headers: request.headers, id, method, params }
      posted.push(message)
      if (id === undefined) return new Response(null, { status: 202 })
      const isModern = request.headers.has('mcp-method')
      if (isModern === server.startsWith('old')) return refused(id, isModern)
      const outcome = isModern ? modern(message) : legacy(message)
      const status = 'error' in outcome && outcome.error.code === -32601 && isModern ? 404 : 200
      return Response.json({ jsonrpc: '2.0', id, ...outcome }, { status })
    },
  }
}

type Outcome =
  | { readonly result: object }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: object } }

function modern({ server, method, params }: TaskMessage): Outcome {
  const done = (result: object): Outcome => ({ result: { resultType: 'complete', ...result } })
  const listed = (result: object): Outcome => done({ ...result, ttlMs: 0, cacheScope: 'public' })
  const extensions = { [TASKS]: {}, 'io.modelcontextprotocol/ui': {}, 'dev.vendor/more': {} }
  const isPlain = server.startsWith('plain')
  switch (method) {
    case 'server/discover':
      return listed({
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {}, resources: {}, ...(isPlain ? {} : { extensions }) },
      })
    case 'tools/list':
      return listed({ tools: TOOLS })
    case 'resources/list':
      return listed({ resources: [{ uri: 'demo://x/1', name: 'x' }] })
    case 'resources/templates/list':
      return listed({ resourceTemplates: [] })
    case 'tools/call':
      if (params['name'] === 'slow') {
        return { result: { ...TASK, resultType: 'task', status: 'working', 'x-vendor': 1 } }
      }
      if (params['name'] === 'only') return missing()
      return done({ content: [], taskId: 'a word of its own' })
    case 'tasks/get':
      return params['taskId'] === TASK.taskId ? done(completed(server)) : unknown()
    case 'tasks/update':
    case 'tasks/cancel':
      return params['taskId'] === TASK.taskId ? done({}) : unknown()
    default:
      return { error: { code: -32601, message: 'Method not found' } }
  }
}

function completed(server: string): object {
  const uri = 'demo://x/1'
  const content = [
    { type: 'text', text: `${server} ran` },
    { type: 'resource_link', uri, name: 'x' },
  ]
  return { ...TASK, status: 'completed', result: { content, isError: false } }
}

function missing(): Outcome {
  const data = { requiredCapabilities: REQUIRED }
  return { error: { code: -32021, message: 'Missing required client capability', data } }
}

function unknown(): Outcome {
  return { error: { code: -32602, message: 'Failed to retrieve task: Task not found' } }
}

function legacy({ method, params }: TaskMessage): Outcome {
  switch (method) {
    case 'initialize':
      return {
        result: {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {}, tasks: { list: {}, requests: { tools: { call: {} } } } },
          serverInfo: { name: 'old', version: '1' },
        },
      }
    case 'tools/list':
      return { result: { tools: TOOLS } }
    case 'tools/call': {
      if (params['task'] !== undefined) return { result: { task: { ...TASK, ttl: 1 } } }
      if (params['name'] !== 'only') return { result: { content: [] } }
      return { error: { code: -32601, message: 'Tool only requires task augmentation' } }
    }
    case 'tasks/list':
      return { result: { tasks: [] } }
    default:
      return { error: { code: -32601, message: 'Method not found' } }
  }
}

function refused(id: unknown, isModern: boolean): Response {
  const data = { supported: ['2026-07-28'], requested: '2025-11-25' }
  const error = isModern
    ? { code: -32600, message: 'Bad Request' }
    : { code: -32022, message: 'Unsupported protocol version', data }
  return Response.json({ jsonrpc: '2.0', id, error }, { status: 400 })
}
