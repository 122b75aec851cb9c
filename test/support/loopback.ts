import { once } from 'node:events'
import type { Server } from 'node:http'

/** A server of this process that listens on 127.0.0.1 alone. */
export interface Loopback {
  readonly origin: string
  /** Ends open connections too. */
  stop(): Promise<void>
}

/** Makes the server listen; `port` 0 (the default) takes a free one. Rejects for one in use. */
export async function onLoopback(server: Server, port = 0): Promise<Loopback> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
