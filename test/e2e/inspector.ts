import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The MCP Inspector's command line, as anyone would run it. */
export interface InspectorRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const FOLDER = join(import.meta.dirname, '../interop')
const INSPECTOR = join(FOLDER, 'node_modules/@modelcontextprotocol/inspector')
const RUN_DEADLINE_MS = 15_000

/** Installs what test/interop pins unless it is there; shows what npm says. */
export async function installInspector(): Promise<void> {
  const pinned = JSON.parse(await readFile(join(FOLDER, 'package.json'), 'utf8'))
  const installed = await readFile(join(INSPECTOR, 'package.json'), 'utf8').catch(() => '{}')
  const wanted: unknown = pinned.dependencies['@modelcontextprotocol/inspector']
  if (JSON.parse(installed).version === wanted && existsSync(launcher())) return
  console.log(`installing the MCP Inspector ${wanted} into test/interop`)
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: 'inherit',
  })
  const code = await new Promise((resolve, reject) => {
    npm.on('exit', resolve)
    npm.on('error', reject)
  })
  if (code !== 0) throw new Error(`npm ci in test/interop ended with ${code}`)
}

/** Runs one method; a home of its own keeps it from reading or leaving files in the user's. */
export async function inspect(
  url: string,
  token: string,
  args: readonly string[],
): Promise<InspectorRun> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-inspector-'))
  const command = [
    launcher(),
    '--cli',
    url,
    '--transport',
    'http',
    '--header',
    `Authorization: Bearer ${token}`,
    '--stored-auth-only',
    '--format',
    'json',
    ...args,
  ]
  try {
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        command,
        { env: { ...process.env, HOME: home }, timeout: RUN_DEADLINE_MS },
        (error, stdout, stderr) => {
          resolve({ exitCode: error ? Number(error.code ?? -1) : 0, stdout, stderr })
        },
      )
    })
  } finally {
    await rm(home, { recursive: true })
  }
}

function launcher(): string {
  return join(INSPECTOR, 'clients/launcher/build/index.js')
}
