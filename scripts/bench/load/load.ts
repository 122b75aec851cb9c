import type { Target } from '../rows/row.ts'

/** A closed loop: `concurrency` connections, each sending its next request when the last is answered. */
export interface LoadOptions {
  readonly target: Target
  readonly concurrency: number
  readonly seconds: number
}

/** What one run of a load tool saw. A failed answer throws instead. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  /** Until the first event of a stream; absent for answers of one message. */
  readonly firstEventP50Ms?: number
}

export interface LoadTool {
  /** For the report. */
  readonly name: string
  run(options: LoadOptions): Promise<LoadResult>
}
