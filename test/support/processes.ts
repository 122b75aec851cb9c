import { createRequire } from 'node:module'
import {
  launchEverything,
  launchSample,
  ON_LOOPBACK,
  orFailure,
  type RunningSample,
} from '../../scripts/samples/launch.ts'
import { startChild } from '../../scripts/start/child.ts'
import { freePort } from '../../scripts/workerd/free-port.ts'
import { interopPath } from '../e2e/interop.ts'

export { freePort }

/** A real upstream in a process of its own. */
export interface RunningUpstream {
  /** Of its MCP endpoint. */
  readonly url: string
  readonly pid: number
  /** Ends the process and waits until it is gone. */
  stop(): Promise<void>
}

/** server-everything: the legacy era with sessions. `port` is for starting it again. */
export async function startEverything(
  port?: number,
  transport?: 'streamable-http' | 'sse',
): Promise<RunningUpstream> {
  return upstreamOf(await launchEverything(port, transport))
}

/** server-everything over WebSocket, by supergateway of test/interop, which must be installed. */
export async function startSocketEverything(samePort?: number): Promise<RunningUpstream> {
  const port = samePort ?? (await freePort())
  let isListening: () => void = () => {}
  const listening = new Promise<void>((resolve) => {
    isListening = resolve
  })
  const child = startChild({
    name: 'supergateway',
    args: [
      ...[...ON_LOOPBACK, interopPath('supergateway', 'dist/index.js')],
      ...['--outputTransport', 'ws'],
      ...['--port', String(port), '--messagePath', '/message'],
      ...['--stdio', `${process.execPath} ${EVERYTHING_SCRIPT} stdio`],
    ],
    onLine: (line) => {
      if (line.includes('WebSocket endpoint')) isListening()
    },
  })
  await orFailure(child, listening)
  const url = `ws://127.0.0.1:${port}/message`
  return { url, pid: child.pid, stop: () => child.stop() }
}

const EVERYTHING_SCRIPT = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/server-everything/dist/index.js',
)

/** One of our samples: both eras, stateless. */
export async function startSample(name: 'currenttime' | 'fininfo'): Promise<RunningUpstream> {
  return upstreamOf(await launchSample(name))
}

function upstreamOf({ url, child, stop }: RunningSample): RunningUpstream {
  return { url, pid: child.pid, stop }
}
