import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { bundleModules, readWorkerShape } from './workerd/bundle.ts'
import { type HarnessParts, type WorkerService, workerdConfig } from './workerd/config.ts'
import { freePort } from './workerd/free-port.ts'
import { applyMigrations, type RunSql } from './workerd/migrations.ts'
import { spawnWorkerd } from './workerd/process.ts'

/** Runs the built bundle on a bare workerd: what production runs, without wrangler in between. */
export interface WorkerdOptions {
  /** Output of `npm run build`: a folder with `index.js`. */
  readonly bundleDir: string
  /** Configuration, objects and D1 live here and survive `restart` and a new start. */
  readonly stateDir: string
  /**
   * Variables and secrets, over those of wrangler.toml. By default `PUBLIC_URL` is the first URL and
   * `ALLOWED_HOSTS` are those of all isolates.
   */
  readonly vars?: Readonly<Record<string, string>>
  /** Of the first service; a free one by default. */
  readonly port?: number
  /** Isolates of the same bundle over the same objects and D1, each with its own URL; default 1. */
  readonly isolates?: number
  /** Default: the wrangler.toml and the migrations of this repository. */
  readonly wranglerToml?: string
  readonly migrationsDir?: string
  /** Drop what it prints instead of keeping it for `output()`: a benchmark prints a lot. */
  readonly discardOutput?: boolean
  /** Gets what it prints, as it comes, besides. */
  readonly onOutput?: (text: string) => void
  /** Of 127.0.0.1: isolates can be inspected there, and have `gc()` (`workerd/heap.ts`). */
  readonly inspectorPort?: number
}

export interface WorkerdHandle {
  /** Origins, one per isolate, such as `http://127.0.0.1:40001`; `url` is the first. */
  readonly url: string
  readonly urls: readonly string[]
  /** Of the process that runs now; changes with `restart`. */
  pid(): number
  /** What it printed so far (the last million characters, and some more). */
  output(): string
  /** Rows of one statement on the first D1 database. */
  sql(sql: string, ...params: unknown[]): Promise<readonly Record<string, unknown>[]>
  /** Delivers a cron event to an isolate (default the first) and gives its outcome, such as `ok`. */
  scheduled(cron?: string, isolate?: number): Promise<string>
  /**
   * Ends the process (SIGKILL when `hard`) and starts it again: same ports, same storage, and
   * `vars` over those it had.
   */
  restart(options?: {
    readonly hard?: boolean
    readonly vars?: Readonly<Record<string, string>>
  }): Promise<void>
  stop(): Promise<void>
}

const ROOT = resolve(import.meta.dirname, '..')
const OUTPUT_CHARS = 1_000_000

/** Starts workerd, waits until it listens, applies the missing migrations. */
export async function startWorkerd(options: WorkerdOptions): Promise<WorkerdHandle> {
  let services = await describeServices(options)
  const parts = await copyParts(options.stateDir)
  const v8Flags = options.inspectorPort === undefined ? [] : ['--expose-gc']
  const configPath = await writeConfig(options.stateDir, services, parts, v8Flags)
  const output = createTail(OUTPUT_CHARS)
  const take = (text: string): void => {
    output.add(text)
    options.onOutput?.(text)
  }
  const start = () =>
    spawnWorkerd(
      configPath,
      services.length + 1,
      options.discardOutput ? undefined : take,
      options.inspectorPort,
    )
  let running = await start()

  const admin = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${parts.adminPort}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(await response.text())
    return response.json()
  }
  const binding = services[0]?.databases[0]?.binding
  const runSql: RunSql = async (statements) => asRows(await admin('/sql', { binding, statements }))

  const handle: WorkerdHandle = {
    url: urlOf(services[0]),
    urls: services.map(urlOf),
    pid: () => running.pid,
    output: output.text,
    async sql(sql, ...params) {
      const [rows = []] = await runSql([{ sql, params }])
      return rows
    },
    async scheduled(cron = '* * * * *', isolate = 0) {
      const service = services[isolate]?.name
      const result = await admin('/scheduled', { service, cron, scheduledTime: Date.now() })
      return asOutcome(result).outcome
    },
    async restart({ hard = false, vars = {} } = {}) {
      await running.stop(hard ? 'SIGKILL' : 'SIGTERM')
      services = services.map((service) => ({ ...service, vars: { ...service.vars, ...vars } }))
      await writeConfig(options.stateDir, services, parts, v8Flags)
      running = await start()
    },
    stop: () => running.stop(),
  }
  try {
    if (binding) await applyMigrations(options.migrationsDir ?? join(ROOT, 'migrations'), runSql)
  } catch (error) {
    await running.stop()
    throw error
  }
  return handle
}

/** The last text added, at least `maxChars` of it and at most twice as much. */
function createTail(maxChars: number) {
  let older = ''
  let newer = ''
  return {
    add(text: string): void {
      newer += text
      if (newer.length < maxChars) return
      older = newer
      newer = ''
    },
    text: () => older + newer,
  }
}

async function describeServices(options: WorkerdOptions): Promise<WorkerService[]> {
  const shape = await readWorkerShape(options.wranglerToml ?? join(ROOT, 'wrangler.toml'))
  const sources = await bundleModules(resolve(options.bundleDir))
  const modules = await Promise.all(
    sources.map(async ({ name, path }) => ({ name, path: await copyInto(options.stateDir, path) })),
  )
  const ports = [options.port || (await freePort())]
  while (ports.length < (options.isolates ?? 1)) ports.push(await freePort())
  const vars = {
    ...shape.vars,
    PUBLIC_URL: `http://127.0.0.1:${ports[0]}`,
    ALLOWED_HOSTS: ports.map((port) => `127.0.0.1:${port}`).join(','),
    ...options.vars,
  }
  return ports.map((port, index) => ({
    ...shape,
    name: index === 0 ? 'main' : `main-${index + 1}`,
    ...(index === 0 ? {} : { objectsOf: 'main' }),
    modules,
    port,
    vars,
  }))
}

/** Miniflare's D1 Workers, as they are in its package, and our admin Worker. */
async function copyParts(stateDir: string): Promise<HarnessParts> {
  const wrangler = createRequire(createRequire(import.meta.url).resolve('wrangler'))
  const workers = join(dirname(wrangler.resolve('miniflare')), 'workers')
  return {
    d1Entry: await copyInto(stateDir, join(workers, 'd1/entry.worker.js')),
    d1Database: await copyInto(stateDir, join(workers, 'd1/database.worker.js')),
    miniflareShared: await copyInto(stateDir, join(workers, 'shared/index.worker.js'), 'shared.js'),
    miniflareZod: await copyInto(stateDir, join(workers, 'shared/zod.worker.js'), 'zod.js'),
    adminWorker: await copyInto(stateDir, join(ROOT, 'scripts/workerd/admin-worker.js')),
    adminPort: await freePort(),
  }
}

/** `embed` of a workerd configuration reads only relative paths, so everything lies beside it. */
async function copyInto(
  stateDir: string,
  source: string,
  name = basename(source),
): Promise<string> {
  await mkdir(join(stateDir, 'modules'), { recursive: true })
  await copyFile(source, join(stateDir, 'modules', name))
  return `modules/${name}`
}

/** Mode 600: the text holds the secrets. */
async function writeConfig(
  stateDir: string,
  services: readonly WorkerService[],
  parts: HarnessParts,
  v8Flags: readonly string[],
): Promise<string> {
  const path = join(stateDir, 'config.capnp')
  await mkdir(join(stateDir, 'do'), { recursive: true })
  await mkdir(join(stateDir, 'd1'), { recursive: true })
  await writeFile(path, workerdConfig(services, parts, v8Flags), { mode: 0o600 })
  await chmod(path, 0o600)
  return path
}

function urlOf(service: WorkerService | undefined): string {
  return `http://127.0.0.1:${service?.port}`
}

/** The admin Worker is ours: it answers an array of rows per statement. */
function asRows(value: unknown): Awaited<ReturnType<RunSql>> {
  return value as Awaited<ReturnType<RunSql>>
}

/** The admin Worker is ours: it answers what `Fetcher.scheduled` gives. */
function asOutcome(value: unknown): { outcome: string } {
  return value as { outcome: string }
}
