import { createServer, request as openRequest } from 'node:http'

/** The suite knows no tokens: this adds one. */
export interface Shim {
  stop(): Promise<void>
}

/**
 * Forwards every request from one port of 127.0.0.1 to another with a bearer token. All else passes
 * as it is, Host and Origin too, so that whoever listens there judges them; both ways as they come.
 */
export async function startShim(options: {
  readonly port: number
  readonly targetPort: number
  readonly token: string
}): Promise<Shim> {
  const server = createServer((request, response) => {
    const forwarded = openRequest({
      host: '127.0.0.1',
      port: options.targetPort,
      method: request.method,
      path: request.url,
      headers: { ...request.headers, authorization: `Bearer ${options.token}` },
      agent: false,
    })
    forwarded.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    forwarded.on('error', () => response.destroy())
    // The suite hangs up: so do we.
    response.on('close', () => forwarded.destroy())
    request.pipe(forwarded)
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  return {
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
