import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { WorkerService } from './config.ts'

/** What wrangler.toml says about the Worker: the part that a bare workerd needs. */
export type WorkerShape = Pick<
  WorkerService,
  'compatibilityDate' | 'compatibilityFlags' | 'vars' | 'databases' | 'objects'
>

/** The members of wrangler's configuration that are read; wrangler itself validated them. */
const WranglerConfig = z.object({
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()),
  vars: z.record(z.string(), z.unknown()),
  d1_databases: z.array(z.object({ binding: z.string(), database_name: z.string() })),
  durable_objects: z.object({
    bindings: z.array(z.object({ name: z.string(), class_name: z.string() })),
  }),
})

/** Reads the top level of a wrangler.toml, or one of its environments. */
export async function readWorkerShape(
  wranglerToml: string,
  environment?: string,
): Promise<WorkerShape> {
  const { unstable_readConfig } = await import('wrangler')
  const config = WranglerConfig.parse(
    unstable_readConfig(
      { config: wranglerToml, ...(environment ? { env: environment } : {}) },
      { hideWarnings: true },
    ),
  )
  return {
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    vars: Object.fromEntries(
      Object.entries(config.vars).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    ),
    databases: config.d1_databases.map(({ binding, database_name }) => ({
      binding,
      name: database_name,
    })),
    objects: config.durable_objects.bindings.map(({ name, class_name }) => ({
      binding: name,
      className: class_name,
    })),
  }
}

/** The modules that `wrangler deploy --dry-run --outdir` left in `directory`, `index.js` first. */
export async function bundleModules(directory: string): Promise<WorkerService['modules']> {
  const names = (await readdir(directory)).filter((name) => /\.(m?js|wasm|txt)$/.test(name)).sort()
  if (!names.includes('index.js')) {
    throw new Error(`${directory} has no index.js; run npm run build first`)
  }
  return ['index.js', ...names.filter((name) => name !== 'index.js')].map((name) => ({
    name,
    path: join(directory, name),
  }))
}
