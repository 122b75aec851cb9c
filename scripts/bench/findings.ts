import type { Sample } from './measure.ts'
import type { Estimate } from './stats.ts'

/** What a run found out; what it did not measure is absent. */
export interface Findings {
  readonly samples: readonly Sample[]
  /** (g) */
  readonly lists?: readonly ListFinding[]
  readonly scale?: ScaleFindings
}

/** A merged `tools/list`, all pages of it. */
export interface ListFinding {
  readonly servers: number
  readonly tools: number
  readonly pages: number
  readonly coldMs: number
  readonly cachedMs: number
  readonly coldCpuMs: number | undefined
  readonly cachedCpuMs: number | undefined
  /** How many times the cached list a cold one costs: CPU where it is known, time otherwise. */
  readonly coldOverCached: Estimate
  /** Requests that reached upstreams during all cached lists. */
  readonly cachedUpstreamRequests: number
}

export interface ScaleFindings {
  /** Cost of a call by registered servers, and by tenants. */
  readonly registered?: readonly GrowthFinding[]
  readonly tenants?: readonly GrowthFinding[]
  readonly sessions?: SessionsFinding
  readonly streams?: StreamsFinding
  readonly soak?: SoakFinding
}

export interface GrowthFinding {
  readonly count: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly cpuMicrosPerRequest: number | undefined
  /** CPU of a call (its time, where that is not known) against the smallest count. */
  readonly costRatio: Estimate
}

export interface SessionsFinding {
  readonly sessions: number
  readonly calls: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly residentMiBBefore: number | undefined
  readonly residentMiBAfter: number | undefined
}

export interface StreamsFinding {
  readonly streams: number
  readonly seconds: number
  /** Still open at the end. */
  readonly survived: number
  readonly kibPerStream: number | undefined
}

export interface SoakFinding {
  readonly seconds: number
  readonly wantedPerSecond: number
  readonly requests: number
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly residentMiBBefore: number | undefined
  readonly residentMiBAfter: number | undefined
}
