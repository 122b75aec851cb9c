import { join } from 'node:path'
import { startWorkerd } from '../../workerd.ts'
import { checkAnswer } from '../check-answer.ts'
import type { Target, World } from './row.ts'

/** Headers that the server's HTTP layer writes by itself. */
const FRAMING = ['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']

export interface CeilingOptions {
  readonly name: string
  /** What it is the ceiling of. */
  readonly of: Target
  readonly upstreamUrl: string
}

/**
 * (b) A bare Worker for the same request as another row. It gets, and sends on, as many headers as
 * the gateway does (which exchanges one, `Authorization`, for another, `User-Agent`), and answers
 * with the very headers that the gateway answered with.
 */
export async function startCeiling(world: World, options: CeilingOptions): Promise<Target> {
  const { name, of, upstreamUrl } = options
  const answered = await checkAnswer(of)
  const headers = [...answered].filter(([header]) => !FRAMING.includes(header))
  const bundleDir = join(import.meta.dirname, '../ceiling')
  const worker = await startWorkerd({
    bundleDir,
    stateDir: join(world.folder, name),
    wranglerToml: join(bundleDir, 'wrangler.toml'),
    vars: { UPSTREAM_URL: upstreamUrl, ANSWER_HEADERS: JSON.stringify(headers) },
    discardOutput: true,
  })
  world.onStop(worker.stop)
  return { ...of, name, url: worker.url, pids: [worker.pid()] }
}
