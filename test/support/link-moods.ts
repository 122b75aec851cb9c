import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WebSocket } from 'ws'

const EVENTS = { 'content-type': 'text/event-stream' }

/** What no honest server of HTTP+SSE does, by name. */
export async function misbehaveOnStream(
  mood: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET') {
    response.writeHead(404).end()
    return
  }
  switch (mood) {
    case 'foreign-endpoint':
      response.writeHead(200, EVENTS)
      response.write('event: endpoint\ndata: http://127.0.0.2:1/messages\n\n')
      return
    case 'no-endpoint':
      response.writeHead(200, EVENTS)
      response.write(': wait\n\n')
      return
    case 'page':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello</p>')
      return
    case 'endless':
      response.writeHead(200, EVENTS)
      response.write('event: endpoint\ndata: /odd-sse/endless\n\n')
      return
    default:
      response.writeHead(404).end()
  }
}

const HELLO = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {}, logging: {} },
  serverInfo: { name: 'odd', version: '1' },
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly _meta?: { readonly progressToken?: string | number } }
}

/** What no honest server of WebSocket does once somebody calls a tool, by name. */
export function misbehaveOnSocket(mood: string, socket: WebSocket): void {
  const send = (value: unknown): void => socket.send(JSON.stringify(value))
  if (mood === 'silent') return
  if (mood === 'garbage-first') for (let n = 0; n < 200; n += 1) socket.send('garbage')
  socket.on('message', (data) => {
    const { id, method, params } = JSON.parse(String(data)) as Message
    if (id === undefined) return
    if (method === 'initialize') send({ jsonrpc: '2.0', id, result: HELLO })
    else if (method === 'tools/list') {
      send({
        jsonrpc: '2.0',
        id,
        result: { tools: [{ name: 'go', inputSchema: { type: 'object' } }] },
      })
    } else if (method === 'ping') send({ jsonrpc: '2.0', id, result: {} })
    else if (method === 'tools/call') call(mood, socket, send, id, params)
  })
}

function call(
  mood: string,
  socket: WebSocket,
  send: (value: unknown) => void,
  id: number,
  params: Message['params'],
): void {
  const result = { content: [{ type: 'text', text: 'done' }] }
  switch (mood) {
    case 'garbage':
      for (let n = 0; n < 200; n += 1) socket.send('{"not json')
      return
    case 'binary':
      for (let n = 0; n < 200; n += 1) socket.send(Buffer.from([1, 2, 3]))
      return
    case 'questions':
      for (let n = 0; n < 2_000; n += 1) send({ jsonrpc: '2.0', id: `q${n}`, method: 'roots/list' })
      return
    case 'pings':
      for (let n = 0; n < 2_000; n += 1) send({ jsonrpc: '2.0', id: `p${n}`, method: 'ping' })
      return
    case 'strangers':
      for (let n = 0; n < 50; n += 1) send({ jsonrpc: '2.0', id: 90_000 + n, result })
      send({ jsonrpc: '2.0', id, result })
      return
    case 'breaks':
      socket.terminate()
      return
    case 'flood': {
      // Progress names its call: the flood goes there, whatever else runs.
      const progressToken = params?._meta?.progressToken
      const message = 'x'.repeat(64 * 1024)
      for (let progress = 0; progress < 1_500; progress += 1) {
        const told = { progressToken, progress, message }
        send({ jsonrpc: '2.0', method: 'notifications/progress', params: told })
      }
      send({ jsonrpc: '2.0', id, result })
      return
    }
    default:
      return
  }
}
