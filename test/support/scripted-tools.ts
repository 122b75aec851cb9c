import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { FLOODS } from './scripted-floods.ts'
import { LIES, ODDITIES } from './scripted-lies.ts'

/** How one tool of the scripted server answers. */
export type Behaviour = (call: {
  /** The request's id, as JSON. */
  readonly id: string
  readonly args: Readonly<Record<string, unknown>>
  readonly response: ServerResponse
  readonly reply: (result: object) => void
  /** Settles when the test says `release`. */
  readonly released: () => Promise<void>
  /** Keeps the rest of a stream for who resumes it behind this event. */
  readonly park: (eventId: string, rest: string) => void
}) => void

/** A message on a stream before its answer. */
export const FIRST_EVENT =
  'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}\n\n'

/** Written by hand: numbers, order, white space and unknown members that no parser would keep. */
export const EXOTIC =
  '{"content":[{"type":"hologram","n":1.0,"big":123456789012345678901,"e":1E5}],"x-vendor":{"b":1,"a":2},"_meta":{"vendor/key":"\\u00fc\\/ü"}, "structuredContent": [ 1.50 ]}'

/** What a tool does instead of answering with its arguments. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  ...LIES,
  ...ODDITIES,
  ...FLOODS,
  exotic({ id, response }) {
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'set-cookie': 'upstream=cookie',
      'x-upstream': 'internal',
      'mcp-session-id': 'upstream-session',
      'www-authenticate': 'Bearer realm="upstream"',
    })
    response.end(`{"jsonrpc": "2.0", "id": ${id}, "result": ${EXOTIC}, "extra": true}`)
  },
  exotic_sse({ id, response }) {
    startStream(response, { 'set-cookie': 'upstream=cookie' })
    response.end(
      `: a comment\nevent: message\nid: 7\ndata: {"jsonrpc":"2.0","id":${id},"result":${EXOTIC}}\n\n`,
    )
  },
  die_before: ({ response }) => void response.destroy(),
  die_at_json({ response }) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.flushHeaders()
    setTimeout(() => response.destroy(), 50)
  },
  die_mid_json({ response }) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"jsonrpc":"2.0","result":{"content":[')
    setTimeout(() => response.destroy(), 50)
  },
  die_mid_sse({ response }) {
    startStream(response)
    setTimeout(() => response.destroy(), 50)
  },
  die_mid_answer({ id, response }) {
    startStream(response)
    response.write(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":[`)
    setTimeout(() => response.destroy(), 50)
  },
  /** Answers on a stream that it never closes. */
  answer_and_hang({ id, response }) {
    startStream(response)
    response.write(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":[]}}\n\n`)
  },
  gzipped({ id, response }) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    response.end(gzipSync(`{"jsonrpc":"2.0","id":${id},"result":${EXOTIC}}`))
  },
  sse_no_answer({ response }) {
    startStream(response)
    response.end()
  },
  /** Never sends headers. */
  silent: () => {},
  /** Sends a first event, then nothing. */
  hang: ({ response }) => startStream(response),
  /** Begins an answer, and says nothing more. */
  mute_json({ response }) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('{"jsonrpc":"2.0",')
  },
  /** The same on a stream, in an event that is too large to be held. */
  mute_large({ id, response }) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`data: {"jsonrpc":"2.0","id":${id},"result":{"text":"${'x'.repeat(300_000)}`)
  },
  /** Says that it goes on, as often as it is told to. */
  chatter({ response, released }) {
    startStream(response)
    const goOn = (): void =>
      void released().then(() => {
        response.write(FIRST_EVENT)
        goOn()
      })
    goOn()
  },
  drip({ id, response, released }) {
    startStream(response)
    void released().then(() =>
      response.end(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":[]}}\n\n`),
    )
  },
  drip_json({ id, response, released }) {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write(
      '{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"first half' +
        ' '.repeat(300_000),
    )
    void released().then(() => response.end(`, second half"}]},"id":${id}}`))
  },
  held({ args, reply, released }) {
    void released().then(() => reply({ content: [{ type: 'text', text: JSON.stringify(args) }] }))
  },
  redirect({ args, response }) {
    response.writeHead(307, { location: String(args['to']) }).end()
  },
  /** Answers with a status and a body that is no JSON-RPC. */
  status({ args, response }) {
    response.writeHead(Number(args['status']), {
      'content-type': 'application/json',
      'www-authenticate': 'Bearer realm="upstream"',
    })
    response.end('{"secret":"of the upstream"}')
  },
  html({ response }) {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>')
  },
  empty({ response }) {
    response.writeHead(200, { 'content-type': 'application/json' }).end()
  },
  fails: ({ reply }) => reply({ content: [{ type: 'text', text: 'no' }], isError: true }),
  rpc_error({ id, args, response }) {
    response.writeHead(Number(args['status'] ?? 200), { 'content-type': 'application/json' })
    response.end(
      `{"jsonrpc":"2.0","id":${id},"error":{"code":-31999,"message":"theirs","data":{"n":1.0}}}`,
    )
  },
}

/** Their definitions. `echo` and `region` answer with their arguments. */
export const TOOLS: readonly object[] = [
  { name: 'echo', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
  {
    name: 'region',
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        deep: {
          type: 'object',
          properties: { count: { type: 'integer', 'x-mcp-header': 'Count' } },
        },
      },
    },
  },
  ...Object.keys(BEHAVIOURS).map((name) => ({
    name,
    inputSchema: { type: 'object' },
    'x-vendor': { kept: true },
    ...(name === 'die_before' ? { annotations: { readOnlyHint: true } } : {}),
  })),
]

function startStream(response: ServerResponse, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers })
  response.write(FIRST_EVENT)
}
