import { createWriteStream } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { freePort } from '../workerd/free-port.ts'
import { type Child, startChild } from './child.ts'
import { ROOT, stateDir } from './state.ts'

/** Keeps wrangler offline and quiet: no metrics, no request.cf lookup, no local trace store. */
const QUIET = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_WRITE_LOGS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  X_LOCAL_OBSERVABILITY: 'false',
  X_LOCAL_EXPLORER: 'false',
}

const DATABASE = 'gatehouse'
/** Which upstreams on this machine the local gateway may call. */
const LOOPBACK = '127.0.0.1/32,localhost,::1/128'
const READY_DEADLINE_MS = 30_000
const POLL_MS = 100

/** Runs a wrangler command to its end and gives the last lines it printed; throws with them. */
export async function runWrangler(args: readonly string[]): Promise<string> {
  const child = startChild({
    name: `wrangler ${args[0]}`,
    args: [wranglerBinary(), ...args],
    cwd: ROOT,
    env: QUIET,
  })
  const how = await child.exited
  if (how === 'exit code 0') return child.tail()
  throw new Error(`${child.name} ended with ${how}\n${child.tail()}`)
}

/** Brings the local D1 (or, `remote`, the deployed one) to the newest migration. */
export function applyMigrations(target: 'local' | 'remote' = 'local'): Promise<string> {
  const place = target === 'local' ? ['--local', '--persist-to', stateDir()] : ['--remote']
  return runWrangler(['d1', 'migrations', 'apply', DATABASE, ...place])
}

/** Starts `wrangler dev --local` and waits until the gateway answers /health. */
export async function startGateway(port: number): Promise<Child> {
  const publicUrl = `http://127.0.0.1:${port}`
  const log = createWriteStream(gatewayLogPath(), { flags: 'w', mode: 0o600 })
  const vars = {
    PUBLIC_URL: publicUrl,
    ALLOWED_HOSTS: `localhost:${port}`,
    PRIVATE_UPSTREAMS: LOOPBACK,
    BOOTSTRAP_ADMIN: JSON.stringify({ issuer: publicUrl, subject: 'admin' }),
  }
  const child = startChild({
    name: 'the gateway (wrangler dev)',
    args: [
      wranglerBinary(),
      'dev',
      '--local',
      '--ip=127.0.0.1',
      `--port=${port}`,
      `--inspector-port=${await freePort()}`,
      `--persist-to=${stateDir()}`,
      '--show-interactive-dev-session=false',
      ...Object.entries(vars).map(([name, value]) => `--var=${name}:${value}`),
    ],
    cwd: ROOT,
    env: QUIET,
    onLine: (line) => log.write(`${line}\n`),
  })
  await untilHealthy(child, publicUrl)
  return child
}

/** What wrangler and the Worker print: event lines, warnings, errors. */
export function gatewayLogPath(): string {
  return join(stateDir(), 'gateway.log')
}

/** Delivers the cron event, as the platform would in production. */
export async function fireCron(publicUrl: string): Promise<void> {
  const url = new URL('/cdn-cgi/local/scheduled?cron=*%2F5+*+*+*+*', publicUrl)
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) })
  if (!response.ok) throw new Error(`the cron trigger answered ${response.status}`)
}

async function untilHealthy(child: Child, publicUrl: string): Promise<void> {
  let ended: string | undefined
  void child.exited.then((how) => {
    ended = how
  })
  const deadline = Date.now() + READY_DEADLINE_MS
  let last = 'no answer'
  while (Date.now() < deadline) {
    if (ended !== undefined) throw new Error(`${child.name} ended with ${ended}\n${child.tail()}`)
    last = await healthStatus(publicUrl)
    if (last === '200') return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`${child.name} is not healthy (${last})\n${child.tail()}`)
}

async function healthStatus(publicUrl: string): Promise<string> {
  try {
    const response = await fetch(`${publicUrl}/health`, { signal: AbortSignal.timeout(5000) })
    await response.body?.cancel()
    return String(response.status)
  } catch {
    return 'no answer'
  }
}

function wranglerBinary(): string {
  const manifest = createRequire(import.meta.url).resolve('wrangler/package.json')
  return join(manifest, '../bin/wrangler.js')
}
