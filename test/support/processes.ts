import { launchEverything, launchSample, type RunningSample } from '../../scripts/samples/launch.ts'

export { freePort } from '../../scripts/workerd/free-port.ts'

/** A real upstream in a process of its own. */
export interface RunningUpstream {
  /** Of its MCP endpoint. */
  readonly url: string
  readonly pid: number
  /** Ends the process and waits until it is gone. */
  stop(): Promise<void>
}

/** server-everything: the legacy era with sessions. `port` is for starting it again. */
export async function startEverything(port?: number): Promise<RunningUpstream> {
  return upstreamOf(await launchEverything(port))
}

/** One of our samples: both eras, stateless. */
export async function startSample(name: 'currenttime' | 'fininfo'): Promise<RunningUpstream> {
  return upstreamOf(await launchSample(name))
}

function upstreamOf({ url, child, stop }: RunningSample): RunningUpstream {
  return { url, pid: child.pid, stop }
}
