import autocannon from 'autocannon'
import { answerProblem, failedRound } from '../check-answer.ts'
import type { Target, Variant } from '../rows/row.ts'
import { percentile } from '../stats.ts'
import type { LoadOptions, LoadTool } from './load.ts'

/** Where wrk is not installed. It shares this process, and costs several times what wrk costs. */
export const autocannonTool: LoadTool = {
  name: 'autocannon',
  async run(options) {
    const startedAt = performance.now()
    const { result, latenciesMs } = await fire(options)
    const seconds = (performance.now() - startedAt) / 1000
    const failures = result.non2xx + result.errors + result.mismatches
    if (failures > 0 || latenciesMs.length === 0) {
      throw await failedRound(options.target, failures, latenciesMs.length)
    }
    const sorted = Float64Array.from(latenciesMs).sort()
    return {
      requests: sorted.length,
      seconds,
      p50Ms: percentile(sorted, 0.5),
      p95Ms: percentile(sorted, 0.95),
      p99Ms: percentile(sorted, 0.99),
    }
  },
}

function requestOf({ headers, body }: Target) {
  return (variant: Variant): autocannon.Request => ({
    method: 'POST',
    path: variant.path,
    headers: { ...headers, ...variant.headers },
    body,
  })
}

interface Fired {
  readonly result: autocannon.Result
  /** Its own histogram knows whole milliseconds only. */
  readonly latenciesMs: number[]
}

function fire({ target, concurrency, seconds }: LoadOptions): Promise<Fired> {
  return new Promise((resolve, reject) => {
    const latenciesMs: number[] = []
    const instance = autocannon(
      {
        url: target.url,
        method: 'POST',
        headers: { ...target.headers },
        body: target.body,
        connections: concurrency,
        duration: seconds,
        ...(target.variants ? { requests: target.variants.map(requestOf(target)) } : {}),
        verifyBody: (body) => answerProblem(target, 200, String(body)) === undefined,
      },
      (error, result) => {
        if (error) reject(error)
        else resolve({ result, latenciesMs })
      },
    )
    instance.on('response', (_client, _status, _bytes, responseTimeMs) => {
      latenciesMs.push(responseTimeMs)
    })
  })
}
