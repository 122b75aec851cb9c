import type { Environment } from './environment.ts'
import type {
  GrowthFinding,
  ListFinding,
  ScaleFindings,
  SessionsFinding,
  SoakFinding,
  StreamsFinding,
} from './findings.ts'
import type { CallRow } from './summary.ts'

/** What one run adds to the results; parts it did not measure keep what an earlier run wrote. */
export interface Results {
  readonly calls?: Part<{
    readonly rounds: number
    readonly seconds: number
    readonly rows: readonly CallRow[]
  }>
  readonly lists?: Part<{ readonly rows: readonly ListFinding[] }>
  /** Each is a part of its own. */
  readonly scale?: ScaleResults
}

export interface ScaleResults {
  readonly registered?: Part<{ readonly rows: readonly GrowthFinding[] }>
  readonly tenants?: Part<{ readonly rows: readonly GrowthFinding[] }>
  readonly sessions?: Part<SessionsFinding>
  readonly streams?: Part<StreamsFinding>
  readonly soak?: Part<SoakFinding>
}

/** Each part says where and how it was measured. */
type Part<T> = { readonly measured: Measured } & T

export interface Measured extends Environment {
  /** Such as `npm run bench -- --quick`. */
  readonly command: string
  /** Day of the run, ISO 8601. */
  readonly day: string
}

/** The results of scale runs that were measured together. Pure. */
export function scaleResults(
  { registered, tenants, sessions, streams, soak }: ScaleFindings,
  measured: Measured,
): ScaleResults {
  return {
    ...(registered && { registered: { measured, rows: registered } }),
    ...(tenants && { tenants: { measured, rows: tenants } }),
    ...(sessions && { sessions: { measured, ...sessions } }),
    ...(streams && { streams: { measured, ...streams } }),
    ...(soak && { soak: { measured, ...soak } }),
  }
}

/** What was found, over what an earlier run wrote, part by part. Pure. */
export function mergeResults(earlier: Results, found: Results): Results {
  const scale = { ...earlier.scale, ...found.scale }
  const hasScale = Object.keys(scale).length > 0
  return { ...earlier, ...found, ...(hasScale && { scale }) }
}
