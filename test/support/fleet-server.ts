import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Fleet } from './fleet.ts'
import { onLoopback } from './loopback.ts'

/** A fleet on one port of loopback, in this process; each member has a path of its own. */
export interface FleetServer {
  urlOf(name: string): string
  stop(): Promise<void>
}

/** Takes a free port. */
export async function serveFleet(fleet: Fleet): Promise<FleetServer> {
  const server = createServer((request, response) => {
    void serve(fleet, request, response)
  })
  const { origin, stop } = await onLoopback(server)
  return { urlOf: (name) => `${origin}/${name}/mcp`, stop }
}

async function serve(
  fleet: Fleet,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const { method = 'GET', url = '/' } = incoming
    const request = new Request(new URL(url, 'http://fleet.test'), {
      method,
      headers: headersOf(incoming),
      body: chunks.length > 0 ? Buffer.concat(chunks) : null,
      signal: gone.signal,
    })
    const answer = await fleet.answer(url.split('/')[1] ?? '', request)
    const body = await answer.text()
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.end(body)
  } catch {
    // A refusing member, or a caller that went away while it was held.
    response.destroy()
  }
}

function headersOf({ headers }: IncomingMessage): Headers {
  const names = Object.entries(headers).filter(([, value]) => value !== undefined)
  return new Headers(names.map(([name, value]): [string, string] => [name, String(value)]))
}
