import { join } from 'node:path'
import { startWorkerd } from '../../workerd.ts'
import { checkAnswer } from '../check-answer.ts'
import type { Target, World } from './row.ts'

/** Headers that the server's HTTP layer writes by itself. */
const FRAMING = ['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']

export interface BareOptions {
  readonly name: string
  /** The row whose request it is sent. */
  readonly of: Target
  readonly upstreamUrl: string
}

/**
 * (b) A bare Worker for the same request as another row. It gets, and sends on, as many headers as
 * the gateway does (which exchanges one, `Authorization`, for another, `User-Agent`), and answers
 * with the very headers that the gateway answered with.
 */
export async function startCeiling(world: World, options: BareOptions): Promise<Target> {
  const answered = await checkAnswer(options.of)
  const headers = [...answered].filter(([header]) => !FRAMING.includes(header))
  return startBareWorker(world, 'ceiling', options, { ANSWER_HEADERS: JSON.stringify(headers) })
}

/** (j) A Worker that does by hand what a modern call cannot go without. */
export function startByHand(world: World, options: BareOptions): Promise<Target> {
  return startBareWorker(world, 'by-hand', options)
}

async function startBareWorker(
  world: World,
  folder: 'ceiling' | 'by-hand',
  { name, of, upstreamUrl }: BareOptions,
  vars: Readonly<Record<string, string>> = {},
): Promise<Target> {
  const bundleDir = join(import.meta.dirname, '..', folder)
  const worker = await startWorkerd({
    bundleDir,
    stateDir: join(world.folder, name),
    wranglerToml: join(bundleDir, 'wrangler.toml'),
    vars: { UPSTREAM_URL: upstreamUrl, ...vars },
    discardOutput: true,
  })
  world.onStop(worker.stop)
  return { ...of, name, url: worker.url, pids: [worker.pid()] }
}
