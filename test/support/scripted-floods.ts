import type { ServerResponse } from 'node:http'
import { createGzip } from 'node:zlib'
import type { Behaviour } from './scripted-tools.ts'

/** Answers that are meant to exhaust who reads them. Each says how in its name. */
export const FLOODS: Readonly<Record<string, Behaviour>> = {
  /** 100 MB in 100 KB. */
  bomb_json: ({ id, response }) =>
    bomb(response, 'application/json', `{"jsonrpc":"2.0","id":${id},"result":{"text":"`),
  bomb_zeros: ({ response }) => bomb(response, 'application/json', '\0'),
  bomb_sse: ({ id, response }) =>
    bomb(response, 'text/event-stream', `data: {"jsonrpc":"2.0","id":${id},"result":{"text":"`),
  /** Events without end, as fast as they are read. */
  endless_sse({ response }) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = `data: {"jsonrpc":"2.0","method":"notifications/x","params":{"a":"${'x'.repeat(60_000)}"}}\n\n`
    const more = (): void => {
      while (!response.destroyed) {
        if (!response.write(event)) return void response.once('drain', more)
      }
    }
    more()
  },
  /** An answer, a byte at a time, that never ends. */
  drip_bytes: ({ id, response }) =>
    drip(response, 'text/event-stream', `data: {"jsonrpc":"2.0","id":${id},"result":{"text":"`),
  drip_bytes_json: ({ id, response }) =>
    drip(response, 'application/json', `{"jsonrpc":"2.0","id":${id},"result":{"text":"`),
  drip_bytes_large: ({ id, response }) =>
    drip(
      response,
      'text/event-stream',
      `data: {"jsonrpc":"2.0","id":${id},"result":{"text":"${'x'.repeat(300_000)}`,
    ),
}

const BOMB_PIECES = 1_600
const PIECE = Buffer.alloc(64 * 1024, 'x')
const DRIP_MS = 20

function bomb(response: ServerResponse, type: string, before: string): void {
  response.writeHead(200, { 'content-type': type, 'content-encoding': 'gzip' })
  const gzip = createGzip({ level: 1 })
  gzip.pipe(response)
  gzip.write(before)
  const piece = before === '\0' ? Buffer.alloc(PIECE.byteLength) : PIECE
  let left = BOMB_PIECES
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= 1
      if (!gzip.write(piece)) return void gzip.once('drain', more)
    }
    gzip.end()
  }
  more()
}

function drip(response: ServerResponse, type: string, before: string): void {
  response.writeHead(200, { 'content-type': type })
  response.write(before)
  const timer = setInterval(() => response.write('x'), DRIP_MS)
  response.on('close', () => clearInterval(timer))
}
