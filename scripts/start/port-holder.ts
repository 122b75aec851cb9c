import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { promisify } from 'node:util'

/** The process that listens on a port. */
export interface PortHolder {
  readonly pid: number
  readonly command: string
  /** The `npm start` that it belongs to: the process to stop. */
  readonly starter?: number
}

export type PortState =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly holder: PortHolder | undefined }
  | { readonly kind: 'forbidden'; readonly message: string }

/** Whether 127.0.0.1:port can be listened on, and if not, by whom it is held as far as we may see. */
export async function portState(port: number): Promise<PortState> {
  const error = await tryToListen(port)
  if (error === undefined) return { kind: 'free' }
  if (error.code !== 'EADDRINUSE') return { kind: 'forbidden', message: error.message }
  return { kind: 'held', holder: await findPortHolder(port) }
}

function tryToListen(port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.on('error', resolve)
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(undefined)))
  })
}

/** Undefined when it belongs to someone whose processes we may not look at. */
async function findPortHolder(port: number): Promise<PortHolder | undefined> {
  return process.platform === 'linux' ? holderInProc(port) : holderByLsof(port)
}

async function holderInProc(port: number): Promise<PortHolder | undefined> {
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '')
    for (const inode of listeningInodes(text, port)) inodes.add(inode)
  }
  if (inodes.size === 0) return undefined
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    if (await holdsSocket(pid, inodes)) {
      const starter = await starterOf(pid)
      const command = await commandOf(pid)
      return { pid: Number(pid), command, ...(starter === undefined ? {} : { starter }) }
    }
  }
  return undefined
}

/** Socket inodes that listen (state 0A) on the port, from the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').flatMap((row) => {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/)
    return local?.endsWith(suffix) && state === '0A' && inode !== undefined ? [inode] : []
  })
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}

/** The nearest ancestor that runs scripts/start.ts. */
async function starterOf(pid: string): Promise<number | undefined> {
  let ancestor = await parentOf(pid)
  while (ancestor !== undefined && ancestor !== '0') {
    if (/scripts\/start\.ts\b/.test(await commandOf(ancestor))) return Number(ancestor)
    ancestor = await parentOf(ancestor)
  }
  return undefined
}

async function parentOf(pid: string): Promise<string | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return /^PPid:\s+(\d+)$/m.exec(status)?.[1]
}

async function commandOf(pid: string): Promise<string> {
  const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return raw.replaceAll('\0', ' ').trim() || 'unknown command'
}

async function holderByLsof(port: number): Promise<PortHolder | undefined> {
  const run = promisify(execFile)
  const listed = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']).catch(() => null)
  const pid = Number(listed?.stdout.trim().split('\n')[0])
  if (!pid) return undefined
  const described = await run('ps', ['-o', 'command=', '-p', `${pid}`]).catch(() => null)
  return { pid, command: described?.stdout.trim() || 'unknown command' }
}
