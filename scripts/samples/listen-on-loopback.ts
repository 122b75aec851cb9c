import { Server } from 'node:net'

/**
 * Preloaded (`node --import`) into a server that we did not write and that would listen on every
 * interface: in its process `listen(port)` without a host means 127.0.0.1.
 */
const listen = Server.prototype.listen

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const [port, host, ...rest] = args
  const isPort = typeof port === 'number' || (typeof port === 'string' && /^\d+$/.test(port))
  const local =
    isPort && typeof host !== 'string' ? [Number(port), '127.0.0.1', host, ...rest] : args
  return Reflect.apply(listen, this, local)
}
