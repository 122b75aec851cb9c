import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { onLoopback } from './loopback.ts'

const CLI = resolve(import.meta.dirname, '../../scripts/gatehouse.ts')

/** How a run of the CLI ended. */
export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the CLI with nothing of the developer's own gateway in reach. */
export async function gatehouse(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliRun> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env['PATH'], GATEHOUSE_STATE: '/nonexistent', ...env },
  })
  const closed = new Promise<number | null>((done) => child.on('close', done))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await closed, stdout, stderr }
}

/** Stands where the CLI looks for a gateway. */
export interface NotingGateway {
  /** Method, URL and body of each request, in order. */
  readonly seen: unknown[]
  /** Runs the CLI against it. */
  run(...args: readonly string[]): Promise<CliRun>
  stop(): Promise<void>
}

/** Starts one that answers DELETE with nothing, all else with JSON of what `answerTo` gives, or 404. */
export async function startNotingGateway(
  answerTo: (method: string, url: string) => unknown,
): Promise<NotingGateway> {
  const seen: unknown[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request
    const body = await text(request)
    seen.push([method, url, body === '' ? undefined : JSON.parse(body)])
    const answer = method === 'DELETE' ? undefined : answerTo(method, url)
    if (answer === undefined) response.writeHead(method === 'DELETE' ? 204 : 404).end()
    else response.end(JSON.stringify(answer))
  })
  const { origin, stop } = await onLoopback(server)
  return {
    seen,
    run: (...args) => gatehouse(['--url', origin, '--token', 't', ...args]),
    stop,
  }
}
