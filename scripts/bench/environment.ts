import { createRequire } from 'node:module'
import { cpus, totalmem } from 'node:os'
import { z } from 'zod'

/** Where a run took place, without a path or a name of the machine. */
export interface Environment {
  /** Such as `2 x Intel(R) Xeon(R) Processor, 8 GiB, linux x64`. */
  readonly machine: string
  readonly node: string
  readonly workerd: string
  readonly upstream: string
  readonly load: string
}

/** `upstream` and `load` are what the run used. */
export function environmentOf(used: {
  readonly upstream: string
  readonly load: string
}): Environment {
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const manifest: unknown = createRequire(import.meta.url)('workerd/package.json')
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${gib} GiB, ${process.platform} ${process.arch}`,
    node: process.versions.node,
    workerd: z.object({ version: z.string() }).parse(manifest).version,
    ...used,
  }
}
