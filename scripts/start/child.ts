import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A process that we started, at the head of its own process group. */
export interface Child {
  readonly name: string
  readonly pid: number
  /** Settles when it is gone, with a phrase such as `exit code 1`. Never rejects. */
  readonly exited: Promise<string>
  /** The last lines it printed, for a report. */
  tail(): string
  /** Ends it and whatever it started: SIGTERM, and SIGKILL after the grace. Idempotent. */
  stop(): Promise<void>
}

export interface ChildOptions {
  readonly name: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly onLine?: (line: string) => void
}

const END_WITH_PARENT = join(import.meta.dirname, 'end-with-parent.ts')
const STOP_GRACE_MS = 4_000
const TAIL_LINES = 40

/** Every child of this process that has not ended. */
const living = new Set<Child>()
let closing = false

/** Ends every child of this process, also one that is still starting. None can be started after. */
export async function stopEveryChild(): Promise<void> {
  closing = true
  await Promise.all([...living].map((child) => child.stop()))
}

/** Starts Node on `args`, with the environment of this process and `env` over it. */
export function startChild(options: ChildOptions): Child {
  if (closing) throw new Error(`not starting ${options.name}: everything is being stopped`)
  const child = spawn(process.execPath, ['--import', END_WITH_PARENT, ...options.args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    // stdin is a pipe for end-with-parent.ts.
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (lines.length > TAIL_LINES) lines.shift()
      options.onLine?.(line)
    })
  }
  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`))
  })
  const handle: Child = {
    name: options.name,
    pid: child.pid ?? 0,
    exited,
    tail: () => lines.join('\n'),
    stop: () => stopGroup(child),
  }
  living.add(handle)
  void exited.then(() => living.delete(handle))
  return handle
}

async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return
  const alive = child.exitCode === null && child.signalCode === null
  const exited = alive ? once(child, 'exit') : undefined
  signalGroup(child.pid, 'SIGTERM')
  if (!exited) return
  const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_GRACE_MS)
  await exited
  clearTimeout(timer)
}

/** A group that is already gone is what we wanted. */
function signalGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
