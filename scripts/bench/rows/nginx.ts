import { join } from 'node:path'
import { orFailure } from '../../samples/launch.ts'
import { type Child, startChild } from '../../start/child.ts'
import { freePort } from '../../workerd/free-port.ts'
import { proxyConfig } from '../nginx/config.ts'
import { startNginx } from '../nginx/process.ts'
import { modernCall } from './messages.ts'
import type { Row, Target } from './row.ts'

/** (h) nginx as a reverse proxy, and with `auth_request` to a server that verifies tokens. */
export const nginxRow: Row = {
  letter: 'h',
  isQuick: false,
  missing: ({ nginx }) => (nginx ? undefined : 'nginx is not installed'),
  async start(world) {
    const { nginx, gateway, upstream } = world
    if (!nginx) return []
    const auth = await startJwtServer(gateway.origin)
    world.onStop(() => auth.child.stop())
    const port = await freePort()
    const folder = join(world.folder, 'proxy')
    const { host, pathname } = new URL(upstream.url('modern'))
    const config = proxyConfig({ folder, port, upstream: host, auth: auth.host })
    const proxy = await startNginx(nginx, { folder, config, port })
    world.onStop(proxy.stop)
    const call = modernCall('echo')
    const headers = { ...call.headers, authorization: `Bearer ${gateway.userToken}` }
    const target = (name: string, path: string, pids: readonly number[]): Target => ({
      ...{ name, ...call, headers, pids, answer: 'message' },
      url: `http://127.0.0.1:${port}/${path}${pathname}`,
    })
    const judged = target('nginx-auth', 'auth', [proxy.pid, auth.child.pid])
    await refuses(judged)
    return [target('nginx', 'plain', [proxy.pid]), judged]
  },
}

async function startJwtServer(issuer: string): Promise<{ host: string; child: Child }> {
  let announce: (host: string) => void = () => {}
  const ready = new Promise<string>((resolve) => {
    announce = resolve
  })
  const child = startChild({
    name: 'the server that verifies tokens',
    args: [join(import.meta.dirname, '../nginx/jwt-server.ts'), issuer],
    onLine: (line) => {
      const host = /^\{"ready":true,"host":"([^"]+)"\}$/.exec(line)?.[1]
      if (host) announce(host)
    },
  })
  return { host: await orFailure(child, ready), child }
}

/** A comparison with a proxy that lets everybody in would be none. */
async function refuses({ url, headers, body }: Target): Promise<void> {
  const authorization = `${headers['authorization']?.slice(0, -6)}AAAAAA`
  const answer = await fetch(url, { method: 'POST', headers: { ...headers, authorization }, body })
  await answer.text()
  if (answer.status !== 401) throw new Error(`nginx let a forged token pass: ${answer.status}`)
}
