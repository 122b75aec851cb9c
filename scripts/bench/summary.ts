import { ratioOf } from './compare.ts'
import type { Sample } from './measure.ts'
import { type Estimate, median } from './stats.ts'

/** A target at one concurrency: medians of its rounds. */
export interface CallRow {
  readonly target: string
  readonly concurrency: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly firstEventP50Ms?: number
  readonly cpuMicrosPerRequest?: number
  readonly residentMiB?: number
  /** Of requests/s to others at the same concurrency; `ceilingCpu` of CPU per request. */
  readonly ratios: {
    readonly direct?: Estimate
    readonly ceiling?: Estimate
    readonly ceilingCpu?: Estimate
    readonly nginx?: Estimate
    readonly nginxAuth?: Estimate
  }
}

/** What of a target the summary needs. */
export interface Compared {
  readonly name: string
  readonly ceiling?: string
}

/** A row per target and concurrency, in that order. Pure. */
export function summarise(
  samples: readonly Sample[],
  targets: readonly Compared[],
  concurrencies: readonly number[],
): CallRow[] {
  return targets.flatMap((target) =>
    concurrencies.map((concurrency) => rowOf(samples, target, concurrency)),
  )
}

function rowOf(
  samples: readonly Sample[],
  { name, ceiling }: Compared,
  concurrency: number,
): CallRow {
  const mine = samples.filter((one) => one.target === name && one.concurrency === concurrency)
  const mid = (read: (sample: Sample) => number) => median(mine.map(read))
  const known = <K extends 'firstEventP50Ms' | 'cpuMicrosPerRequest' | 'residentMiB'>(
    member: K,
  ) => {
    const values = mine.flatMap((sample) => sample[member] ?? [])
    return values.length === 0 ? {} : { [member]: median(values) }
  }
  const to = (other: string | undefined, measure: 'requestsPerSecond' | 'cpuMicrosPerRequest') =>
    other === undefined || other === name
      ? undefined
      : ratioOf(samples, measure, { target: name, with: other, concurrency })
  return {
    target: name,
    concurrency,
    requestsPerSecond: mid((one) => one.requestsPerSecond),
    p50Ms: mid((one) => one.p50Ms),
    p95Ms: mid((one) => one.p95Ms),
    p99Ms: mid((one) => one.p99Ms),
    ...known('firstEventP50Ms'),
    ...known('cpuMicrosPerRequest'),
    ...known('residentMiB'),
    ratios: present({
      direct: to('direct', 'requestsPerSecond'),
      ceiling: to(ceiling, 'requestsPerSecond'),
      ceilingCpu: to(ceiling, 'cpuMicrosPerRequest'),
      nginx: to('nginx', 'requestsPerSecond'),
      nginxAuth: to('nginx-auth', 'requestsPerSecond'),
    }),
  }
}

function present(ratios: Record<string, Estimate | undefined>): CallRow['ratios'] {
  return Object.fromEntries(Object.entries(ratios).filter(([, value]) => value !== undefined))
}
