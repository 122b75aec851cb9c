import { Agent, request } from 'node:http'
import { residentMiB } from '../../workerd/resident.ts'
import { answerProblem } from '../check-answer.ts'
import type { SoakFinding } from '../findings.ts'
import { modernCall } from '../rows/messages.ts'
import type { Target } from '../rows/row.ts'
import { percentile } from '../stats.ts'
import type { RunningWorld } from '../world.ts'

const REQUESTS_PER_SECOND = 300
/** Requests are due at exact times; this is how often it is looked which. */
const TICK_MS = 5
const TIMEOUT_MS = 30_000
const WARM_UP_SECONDS = 10
const SAY_EVERY_SECONDS = 60

/**
 * A fixed rate, whatever the answers do (an open loop): a latency counts from when its request was
 * due. Errors are counted and do not end the run.
 */
export async function soak(
  world: RunningWorld,
  { seconds, say }: { readonly seconds: number; say(text: string): void },
): Promise<SoakFinding> {
  const call = modernCall('echo')
  const target: Target = {
    ...{ name: 'soak', ...call, answer: 'message' },
    url: `${world.gateway.origin}/bench/mcp`,
    headers: { ...call.headers, authorization: `Bearer ${world.gateway.userToken}` },
    pids: [world.gateway.worker.pid()],
  }
  await atFixedRate(target, WARM_UP_SECONDS, () => {})
  const residentMiBBefore = await residentMiB(target.pids)
  const { latencies, errors } = await atFixedRate(target, seconds, say)
  const sorted = Float64Array.from(latencies).sort()
  return {
    seconds,
    wantedPerSecond: REQUESTS_PER_SECOND,
    requests: latencies.length + errors,
    errors,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    residentMiBBefore,
    residentMiBAfter: await residentMiB(target.pids),
  }
}

async function atFixedRate(
  target: Target,
  seconds: number,
  say: (text: string) => void,
): Promise<{ latencies: number[]; errors: number }> {
  const agent = new Agent({ keepAlive: true })
  const latencies: number[] = []
  let errors = 0
  const running = new Set<Promise<void>>()
  const startedAt = performance.now()
  const total = seconds * REQUESTS_PER_SECOND
  const dueAt = (index: number) => startedAt + (index * 1000) / REQUESTS_PER_SECOND
  let saidAt = startedAt
  for (let index = 0; index < total; ) {
    while (index < total && dueAt(index) <= performance.now()) {
      const due = dueAt(index)
      const one = send(agent, target).then(
        () => {
          latencies.push(performance.now() - due)
        },
        (error: unknown) => {
          errors += 1
          say(`failed: ${error instanceof Error ? error.message : String(error)}`)
        },
      )
      running.add(one)
      void one.finally(() => running.delete(one))
      index += 1
    }
    if (performance.now() - saidAt > SAY_EVERY_SECONDS * 1000) {
      saidAt = performance.now()
      say(`${index} of ${total} requests sent, ${errors} errors`)
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  await Promise.all(running)
  agent.destroy()
  return { latencies, errors }
}

function send(agent: Agent, target: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { ...target.headers, 'content-length': String(Buffer.byteLength(target.body)) }
    const options = { method: 'POST', agent, headers, timeout: TIMEOUT_MS }
    const sent = request(target.url, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        const problem = answerProblem(target, response.statusCode ?? 0, text)
        if (problem) reject(new Error(`${problem}: ${text.slice(0, 200)}`))
        else resolve()
      })
    })
    sent.on('timeout', () => sent.destroy(new Error('timed out')))
    sent.on('error', reject)
    sent.end(target.body)
  })
}
