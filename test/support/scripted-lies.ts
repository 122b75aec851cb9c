import type { ServerResponse } from 'node:http'
import type { Behaviour } from './scripted-tools.ts'

/** Far more than the gateway takes, in pieces that are made as they are read. */
const HUGE_BYTES = 100 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'x')

/** Answers that break the protocol. Each says so in its name. */
export const LIES: Readonly<Record<string, Behaviour>> = {
  json_malformed: ({ id, response }) => json(response, `{"jsonrpc":"2.0","id":${id},"result":{`),
  json_array: ({ id, response }) => json(response, `[${answer(id)}]`),
  json_twice: ({ id, response }) => json(response, answer(id) + answer(id)),
  json_foreign: ({ response }) => json(response, answer('"somebody"')),
  json_no_answer: ({ id, response }) => json(response, `{"jsonrpc":"2.0","id":${id}}`),
  json_null: ({ id, response }) => json(response, answer(id, 'null')),
  json_text: ({ response }) => json(response, '"hello"'),
  json_deep: ({ id, response }) =>
    json(response, answer(id, `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`)),
  json_announced({ response }) {
    const type = { 'content-type': 'application/json' }
    response.writeHead(200, { ...type, 'content-length': String(HUGE_BYTES) })
    response.write('{"jsonrpc":"2.0",')
  },
  json_huge({ id, response }) {
    response.writeHead(200, { 'content-type': 'application/json' })
    pour(response, `{"jsonrpc":"2.0","id":${id},"result":{"text":"`, '"}}')
  },
  json_large_cut({ id, response }) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(`{"jsonrpc":"2.0","id":${id},"result":{"text":"${'x'.repeat(300_000)}"`)
  },
  json_large_foreign({ response }) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(`{"jsonrpc":"2.0","result":{"text":"${'x'.repeat(300_000)}"},"id":"somebody"}`)
  },
  sse_malformed: ({ response }) => stream(response, 'data: {"jsonrpc":\n\n'),
  sse_half: ({ id, response }) => stream(response, `data: ${answer(id)}\n`),
  sse_foreign: ({ response }) => stream(response, `data: ${answer('"somebody"')}\n\n`),
  sse_large_foreign: ({ response }) =>
    stream(response, `data: ${answer('"somebody"', `{"text":"${'x'.repeat(300_000)}"}`)}\n\n`),
  sse_large_half: ({ id, response }) =>
    stream(response, `data: ${answer(id, `{"text":"${'x'.repeat(300_000)}`)}`),
  sse_huge({ id, response }) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    pour(response, `data: {"jsonrpc":"2.0","id":${id},"result":{"text":"`, '"}}\n\n')
  },
  sse_malformed_first: ({ id, response }) =>
    stream(response, `data: {bad\n\ndata: ${answer(id)}\n\n`),
  sse_foreign_first: ({ id, response }) =>
    stream(response, `data: ${answer('"somebody"')}\n\ndata: ${answer(id)}\n\n`),
  sse_twice: ({ id, response }) => stream(response, `data: ${answer(id)}\n\n`.repeat(2)),
}

/** Answers that are unusual, and right. */
export const ODDITIES: Readonly<Record<string, Behaviour>> = {
  /** A stream of 2025-03-26 may batch. */
  sse_batch: ({ id, response }) =>
    stream(
      response,
      `data: [{"jsonrpc":"2.0","method":"notifications/x","params":{"n":1.0}} , ${answer(id)}]\n\n`,
    ),
  /** Begins with a priming event; every event has an id. */
  sse_ids: ({ id, response }) =>
    stream(response, `id: first\nretry: 500\ndata: \n\nid: second\ndata: ${answer(id)}\n\n`),
  /** Closes its stream before the answer: the client has to come back for it. */
  sse_poll({ id, response, park }) {
    park('parked', `id: last\ndata: ${answer(id)}\n\n`)
    stream(response, 'id: parked\nretry: 10\ndata: \n\n')
  },
  /** Wants something first, and keeps its state with the client. */
  needs_input: ({ reply }) =>
    reply({ resultType: 'input_required', requestState: 'their "näh" state', inputRequests: {} }),
}

function answer(id: string, result = '{"content":[]}'): string {
  return `{"jsonrpc":"2.0","id":${id},"result":${result}}`
}

function json(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(body)
}

function stream(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(body)
}

/** Writes as fast as it is read, and no faster. */
function pour(response: ServerResponse, before: string, behind: string): void {
  let left = HUGE_BYTES
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= PIECE.byteLength
      if (!response.write(PIECE)) return void response.once('drain', more)
    }
    if (!response.destroyed) response.end(behind)
  }
  response.write(before)
  more()
}
