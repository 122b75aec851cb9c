import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'

/** Programs that nobody here wrote live in test/interop, so that the gateway installs none of them. */
const FOLDER = join(import.meta.dirname, '../interop')

const Manifest = z.looseObject({
  version: z.string().default(''),
  dependencies: z.record(z.string(), z.string()).default({}),
})

/** Installs what test/interop pins unless all of it is there; shows what npm says. */
export async function installInterop(): Promise<void> {
  const { dependencies } = await manifestIn(FOLDER)
  const missing: string[] = []
  for (const [name, wanted] of Object.entries(dependencies)) {
    if ((await installedVersion(name)) !== wanted) missing.push(`${name} ${wanted}`)
  }
  if (missing.length === 0) return
  console.log(`installing into test/interop: ${missing.join(', ')}`)
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

/** Path of a file of an installed package, such as `('mcp-remote', 'dist/proxy.js')`. */
export function interopPath(name: string, file: string): string {
  return join(FOLDER, 'node_modules', name, file)
}

/** The module that `name` stands for in test/interop; the caller parses what it uses of it. */
export async function importInterop(name: string): Promise<unknown> {
  const entry = createRequire(join(FOLDER, 'package.json')).resolve(name)
  return import(/* @vite-ignore */ pathToFileURL(entry).href)
}

/** Undefined for a package that is not installed. */
export async function installedVersion(name: string): Promise<string | undefined> {
  const manifest = await manifestIn(join(FOLDER, 'node_modules', name)).catch(() => undefined)
  return manifest?.version
}

async function manifestIn(folder: string) {
  return Manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
}
