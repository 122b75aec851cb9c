import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'

/** A running `workerd serve`. */
export interface WorkerdProcess {
  readonly pid: number
  /** Ends it and waits until it is gone. Idempotent. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const READY_DEADLINE_MS = 15_000
const STOP_GRACE_MS = 3_000

/**
 * Starts workerd on a configuration file and waits until it listens on `sockets` sockets.
 * `onOutput` gets its stdout and stderr; without it stdout is dropped. Throws with what it printed when it does not come up.
 */
export async function spawnWorkerd(
  configPath: string,
  sockets: number,
  onOutput: ((text: string) => void) | undefined,
  inspectorPort?: number,
): Promise<WorkerdProcess> {
  const inspector = inspectorPort === undefined ? [] : [`-i127.0.0.1:${inspectorPort}`]
  const args = ['serve', '--experimental', '--control-fd=3', ...inspector, configPath]
  const child = spawn(workerdBinary(), args, {
    // The disks of the configuration are relative to the working directory.
    cwd: dirname(configPath),
    stdio: ['ignore', onOutput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  let early = ''
  const take = (chunk: Buffer): void => {
    if (early.length < 4000) early += chunk.toString()
    onOutput?.(chunk.toString())
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)

  const stop = stopper(child)
  try {
    await listening(child, sockets)
  } catch (error) {
    await stop('SIGKILL')
    throw new Error(`workerd did not start: ${String(error)}\n${early}`)
  }
  return { pid: child.pid ?? 0, stop }
}

/** workerd reports each socket as a line of JSON on the control descriptor. */
function listening(child: ChildProcess, sockets: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`not listening after ${READY_DEADLINE_MS} ms`)),
      READY_DEADLINE_MS,
    )
    const settle = (finish: () => void): void => {
      clearTimeout(timer)
      finish()
    }
    let seen = ''
    const control = child.stdio[3] as Readable
    control.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      if (seen.split('"listen"').length - 1 >= sockets) settle(resolve)
    })
    child.on('error', (error) => settle(() => reject(error)))
    child.on('exit', (code) => settle(() => reject(new Error(`exited with ${code}`))))
  })
}

function stopper(child: ChildProcess): WorkerdProcess['stop'] {
  return async (signal = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const exited = once(child, 'exit')
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
    await exited
    clearTimeout(timer)
  }
}

function workerdBinary(): string {
  const workerd: { default: string } = createRequire(import.meta.url)('workerd')
  return workerd.default
}
