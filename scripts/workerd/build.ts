import { resolve } from 'node:path'
import { runWrangler } from '../start/wrangler.ts'

/** What `npm run build` does, into a folder of choice. Takes a few seconds; writes no secrets. */
export async function buildBundle(directory: string): Promise<void> {
  await runWrangler(['deploy', '--dry-run', '--outdir', resolve(directory), '--env='])
}
