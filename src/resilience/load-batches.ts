import { setBounded } from '../core/index.ts'

/** What one isolate says of its own calls at one endpoint. */
export interface LoadReport {
  /** Its name, chosen by chance. */
  readonly isolate: string
  readonly inFlight: number
  /** As it sees it lately; absent when it has seen none. */
  readonly latencyMs?: number | undefined
}

/** What all other isolates said last, taken together. */
export interface OthersLoad {
  readonly inFlight: number
  /** The mean of theirs. */
  readonly latencyMs?: number | undefined
}

/** The last word of every isolate about one endpoint. */
export interface LoadBatches {
  /** Takes a report, epoch ms, and gives what the others said. */
  report(report: LoadReport, now: number): OthersLoad
}

/** What an isolate said counts for so long: one that died takes nothing back. Others say it again. */
export const BATCH_TTL_MS = 30_000
/** Isolates remembered at one endpoint; the one silent for longest goes first. */
const MAX_ISOLATES = 1_000

/** @see LoadBatches */
export function createLoadBatches(): LoadBatches {
  const batches = new Map<string, LoadReport & { readonly at: number }>()
  return {
    report({ isolate, inFlight, latencyMs }, now) {
      setBounded(batches, isolate, { isolate, inFlight, latencyMs, at: now }, MAX_ISOLATES)
      let others = 0
      let sum = 0
      let measured = 0
      for (const batch of batches.values()) {
        if (now - batch.at >= BATCH_TTL_MS) batches.delete(batch.isolate)
        else if (batch.isolate !== isolate) {
          others += batch.inFlight
          if (batch.latencyMs !== undefined) {
            sum += batch.latencyMs
            measured += 1
          }
        }
      }
      return { inFlight: others, ...(measured > 0 ? { latencyMs: sum / measured } : {}) }
    },
  }
}
