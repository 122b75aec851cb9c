import { z } from 'zod'
import type { LoadResult } from './load.ts'

/** In front of the line that our script prints among wrk's own. */
export const RESULT_MARK = 'bench: '

/** Counts and microseconds, as `wrkScript` prints them. */
const Printed = z.object({
  requests: z.number(),
  micros: z.number().positive(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  /** Answers with another status or without what was expected. */
  wrong: z.number(),
  connect: z.number(),
  read: z.number(),
  write: z.number(),
  timeout: z.number(),
})

/** Reads the output of one run. Throws when the script's line is not there. Pure. */
export function parseWrkOutput(output: string): LoadResult & { readonly failures: number } {
  const line = output.split('\n').find((text) => text.startsWith(RESULT_MARK))
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`)
  const seen = Printed.parse(JSON.parse(line.slice(RESULT_MARK.length)))
  return {
    requests: seen.requests,
    seconds: seen.micros / 1e6,
    p50Ms: seen.p50 / 1e3,
    p95Ms: seen.p95 / 1e3,
    p99Ms: seen.p99 / 1e3,
    failures: seen.wrong + seen.connect + seen.read + seen.write + seen.timeout,
  }
}
