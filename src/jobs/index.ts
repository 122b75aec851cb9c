/** Rank 6: work that no caller asked for. */
export { type ProbeStub, runHealthRound } from './health-round.ts'
export { jobContext } from './job-context.ts'
export type { ProbeSliceDeps } from './probe-slice.ts'
