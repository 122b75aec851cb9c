import { Agent, request } from 'node:http'
import { answerProblem } from '../check-answer.ts'
import type { Target } from '../rows/row.ts'
import { percentile } from '../stats.ts'
import type { LoadTool } from './load.ts'

/** For answers that are streams: no load tool tells when the first event came. */
export const streamTool: LoadTool = {
  name: 'node:http',
  async run({ target, concurrency, seconds }) {
    const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
    const firsts: number[] = []
    const totals: number[] = []
    const startedAt = performance.now()
    const endAt = startedAt + seconds * 1000
    const caller = async (): Promise<void> => {
      while (performance.now() < endAt) {
        const timed = await readStream(agent, target)
        firsts.push(timed.firstEventMs)
        totals.push(timed.totalMs)
      }
    }
    try {
      await Promise.all(Array.from({ length: concurrency }, caller))
    } finally {
      agent.destroy()
    }
    const total = Float64Array.from(totals).sort()
    return {
      requests: total.length,
      seconds: (performance.now() - startedAt) / 1000,
      p50Ms: percentile(total, 0.5),
      p95Ms: percentile(total, 0.95),
      p99Ms: percentile(total, 0.99),
      firstEventP50Ms: percentile(Float64Array.from(firsts).sort(), 0.5),
    }
  },
}

interface TimedStream {
  readonly firstEventMs: number
  readonly totalMs: number
}

function readStream(agent: Agent, target: Target): Promise<TimedStream> {
  return new Promise((resolve, reject) => {
    const sentAt = performance.now()
    const options = { method: 'POST', agent, headers: withLength(target) }
    const sent = request(target.url, options, (response) => {
      let text = ''
      let firstEventMs: number | undefined
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        // A comment is no event.
        if (firstEventMs === undefined && /^data:[^\n]*\n\n/m.test(text)) {
          firstEventMs = performance.now() - sentAt
        }
      })
      response.on('error', reject)
      response.on('end', () => {
        const problem = answerProblem(target, response.statusCode ?? 0, text)
        if (problem || firstEventMs === undefined) {
          reject(new Error(`${target.name} ${problem ?? 'sent no event'}: ${text.slice(0, 500)}`))
        } else {
          resolve({ firstEventMs, totalMs: performance.now() - sentAt })
        }
      })
    })
    sent.on('error', reject)
    sent.end(target.body)
  })
}

function withLength({ headers, body }: Target) {
  return { ...headers, 'content-length': String(Buffer.byteLength(body)) }
}
