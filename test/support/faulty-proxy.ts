import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { FAULT_ACTS, type FaultKind, pass } from './faults.ts'

/** Stands in front of one HTTP server and makes its network, or itself, bad. */
export interface FaultyProxy {
  /** What a gateway is told. */
  readonly url: string
  /** How many requests came while each fault was on; `refuse` sees none. */
  readonly met: ReadonlyMap<FaultKind, number>
  /** From now on, until another or `undefined` (all is well). Settles when it holds. */
  use(fault: FaultKind | undefined): Promise<void>
  stop(): Promise<void>
}

export interface FaultyProxyOptions {
  readonly target: string
  /** Where requests go during `era_flip`. */
  readonly flipped?: string
}

/** Of a port that its owner left for a moment, and that somebody else may have taken for as long. */
const RELISTEN_TRIES = 50
const RELISTEN_MS = 100
/**
 * Far longer than a gateway keeps a connection that is idle (workerd: 5 s): with Node's 5 s both end
 * it at once, and a call that is sent just then is lost although all is well.
 */
const KEEP_ALIVE_MS = 60_000
/** An answer that is to be played again may be this long. */
const MAX_PREVIOUS_CHARS = 100_000

/** Listens on a free port of loopback. */
export async function startFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
  let fault: FaultKind | undefined
  let end = (): void => {}
  let over: Promise<void> = Promise.resolve()
  let previous: string | undefined
  const met = new Map<FaultKind, number>()

  const server = createServer((request, response) => {
    // Whatever breaks between us and the server breaks the exchange.
    handle(request, response).catch(() => response.destroy())
  })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = fault
    const until = over
    const body = await readAll(request)
    const forward = (flipped = false) =>
      send(request, body, flipped ? (options.flipped ?? options.target) : options.target)
    if (kind === undefined || kind === 'refuse') {
      pass(await forward(), response, (text) => {
        if (text.includes('"id"') && text.length <= MAX_PREVIOUS_CHARS) previous = text
      })
      return
    }
    met.set(kind, (met.get(kind) ?? 0) + 1)
    await FAULT_ACTS[kind]({ response, forward, over: until, previous })
  }

  server.keepAliveTimeout = KEEP_ALIVE_MS
  await listen(server, 0)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })

  return {
    url: `http://127.0.0.1:${port}${new URL(options.target).pathname}`,
    met,
    async use(next) {
      end()
      if (fault === 'refuse' && next !== 'refuse') await relisten(server, port)
      if (fault !== 'refuse' && next === 'refuse') await close()
      fault = next
      over = new Promise((resolve) => {
        end = resolve
      })
    },
    async stop() {
      end()
      if (server.listening) await close()
    },
  }
}

type Server = ReturnType<typeof createServer>

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function relisten(server: Server, port: number): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await listen(server, port)
    } catch (error) {
      if (tries === RELISTEN_TRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, RELISTEN_MS))
    }
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** On a connection of its own, so that nothing of one exchange touches the next. */
function send(request: IncomingMessage, body: Buffer, target: string): Promise<IncomingMessage> {
  const headers = { ...request.headers, host: new URL(target).host, connection: 'close' }
  return new Promise((resolve, reject) => {
    const sent = httpRequest(target, { method: request.method, headers, agent: false }, resolve)
    sent.on('error', reject)
    sent.end(body)
  })
}
