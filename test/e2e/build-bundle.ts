import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { buildBundle } from '../../scripts/workerd/build.ts'

declare module 'vitest' {
  interface ProvidedContext {
    bundleDir: string
  }
}

/** Builds what would be deployed, once for all suites. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bundle-'))
  await buildBundle(directory)
  project.provide('bundleDir', directory)
  return () => rm(directory, { recursive: true })
}
