import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../workerd/free-port.ts'
import { startWorkerd } from '../../workerd.ts'
import { answersLua, luaUpstreamConfig } from '../nginx/config.ts'
import { type InstalledNginx, startNginx } from '../nginx/process.ts'
import {
  PROGRESS_EVENTS,
  PROGRESS_EVERY_MS,
  UPSTREAM_KINDS,
  type UpstreamKind,
  upstreamAnswers,
} from './answers.ts'

/** The server behind everything that is measured, in a process of its own. */
export interface Upstream {
  /** What it is, for the report. */
  readonly software: string
  readonly pid: number
  /** `instance` tells apart servers of the same kind. */
  url(kind: UpstreamKind, instance?: number): string
  /** Requests that reached it so far, but for those of this method. */
  requests(): Promise<number>
  stop(): Promise<void>
}

/** nginx with Lua where that is installed, a Worker otherwise; on a free port if none is given. */
export async function startUpstream(
  folder: string,
  nginx: InstalledNginx | undefined,
  givenPort?: number,
): Promise<Upstream> {
  const port = givenPort ?? (await freePort())
  const luaModules = nginx?.luaModules
  return nginx && luaModules
    ? startLuaUpstream(folder, port, nginx, luaModules)
    : startStubUpstream(folder, port)
}

async function startLuaUpstream(
  folder: string,
  port: number,
  nginx: InstalledNginx,
  modules: readonly string[],
): Promise<Upstream> {
  await mkdir(folder, { recursive: true })
  const progress = { events: PROGRESS_EVENTS, everyMs: PROGRESS_EVERY_MS }
  await writeFile(join(folder, 'answers.lua'), answersLua(upstreamAnswers(), progress))
  const kinds = UPSTREAM_KINDS
  const luaFolder = import.meta.dirname
  const config = luaUpstreamConfig({ folder, port, modules, luaFolder, kinds })
  const { pid, stop } = await startNginx(nginx, { folder, config, port })
  const origin = `http://127.0.0.1:${port}`
  let asked = 0
  return {
    software: `${nginx.version} with Lua`,
    pid,
    url: urlAt(origin),
    async requests() {
      // stub_status: accepted, handled, requests; its own are among them.
      const text = await (await fetch(`${origin}/requests`)).text()
      asked += 1
      return Number(/\n \d+ \d+ (\d+)/.exec(text)?.[1]) - asked
    },
    stop,
  }
}

async function startStubUpstream(folder: string, port: number): Promise<Upstream> {
  const stub = join(import.meta.dirname, 'stub')
  const { url, pid, stop } = await startWorkerd({
    bundleDir: stub,
    stateDir: folder,
    port,
    wranglerToml: join(stub, 'wrangler.toml'),
    vars: {
      ANSWERS: JSON.stringify(upstreamAnswers()),
      PROGRESS_EVENTS: String(PROGRESS_EVENTS),
      PROGRESS_EVERY_MS: String(PROGRESS_EVERY_MS),
    },
    discardOutput: true,
  })
  return {
    software: 'a Worker on workerd',
    pid: pid(),
    url: urlAt(url),
    requests: async () => Number(await (await fetch(`${url}/requests`)).text()),
    stop,
  }
}

function urlAt(origin: string): Upstream['url'] {
  return (kind, instance) => `${origin}/${kind}/${instance === undefined ? '' : `${instance}/`}mcp`
}
