import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'

/** nginx of this machine. */
export interface InstalledNginx {
  readonly binary: string
  /** Such as `nginx/1.22.1`. */
  readonly version: string
  /** What `load_module` must name for Lua; undefined without Debian's Lua module. */
  readonly luaModules: readonly string[] | undefined
}

export interface NginxProcess {
  readonly pid: number
  stop(): Promise<void>
}

const BINARIES = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx']
/** The Lua module needs the development kit loaded before it. */
const MODULE_FILES = ['ndk_http_module.so', 'ngx_http_lua_module.so']
const MODULE_FOLDERS = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules']
const READY_DEADLINE_MS = 10_000
const STOP_GRACE_MS = 3_000

/** Undefined when there is none. */
export function findNginx(): InstalledNginx | undefined {
  const binary = BINARIES.find((path) => existsSync(path))
  if (binary === undefined) return undefined
  const folder = MODULE_FOLDERS.find((path) =>
    MODULE_FILES.every((file) => existsSync(join(path, file))),
  )
  return {
    binary,
    version: versionOf(binary),
    luaModules: folder === undefined ? undefined : MODULE_FILES.map((file) => join(folder, file)),
  }
}

/** It prints its version on stderr. */
function versionOf(binary: string): string {
  const text = execFileSync('/bin/sh', ['-c', `"${binary}" -v 2>&1`], { encoding: 'utf8' })
  return /nginx\/[\d.]+/.exec(text)?.[0] ?? 'nginx'
}

/** Starts nginx on a configuration and waits until it listens. Throws what it printed otherwise. */
export async function startNginx(
  { binary }: InstalledNginx,
  options: { readonly folder: string; readonly config: string; readonly port: number },
): Promise<NginxProcess> {
  const configPath = join(options.folder, 'nginx.conf')
  await mkdir(options.folder, { recursive: true })
  await writeFile(configPath, options.config)
  const child = spawn(binary, ['-e', 'stderr', '-p', options.folder, '-c', configPath], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let printed = ''
  child.stderr.on('data', (chunk: Buffer) => {
    if (printed.length < 4_000) printed += chunk.toString()
  })
  const exited = once(child, 'exit')
  let isGone = false
  void exited.then(
    () => {
      isGone = true
    },
    () => {
      isGone = true
    },
  )
  const stop = async (): Promise<void> => {
    if (isGone) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
    await exited
    clearTimeout(timer)
  }
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!(await isListening(options.port))) {
    if (isGone || Date.now() > deadline) {
      await stop()
      throw new Error(`nginx did not start\n${printed}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { pid: child.pid ?? 0, stop }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
