import type { GrowthFinding, SessionsFinding, SoakFinding, StreamsFinding } from './findings.ts'
import { estimateText } from './report-cells.ts'
import type { Measured, ScaleResults } from './results.ts'

/** One scale run in the report: lines of Markdown that a terminal shows as well. */
export interface ScaleSection {
  readonly title: string
  readonly measured: Measured
  readonly lines: readonly string[]
}

/** Those that were measured, in an order of their own. Pure. */
export function scaleSections(scale: ScaleResults): ScaleSection[] {
  const { registered, tenants, sessions, streams, soak } = scale
  const section = <T extends { readonly measured: Measured }>(
    title: string,
    part: T | undefined,
    linesOf: (part: T) => readonly string[],
  ): ScaleSection[] => (part ? [{ title, measured: part.measured, lines: linesOf(part) }] : [])
  return [
    ...section('Registered servers', registered, ({ rows }) =>
      rows.map((one) => growthLine('registered servers', one)),
    ),
    ...section('Tenants', tenants, ({ rows }) => rows.map((one) => growthLine('tenants', one))),
    ...section('Legacy sessions', sessions, (one) => [sessionsLine(one)]),
    ...section('Open streams', streams, (one) => [streamsLine(one)]),
    ...section('Soak', soak, (one) => [soakLine(one)]),
  ]
}

function growthLine(what: string, one: GrowthFinding): string {
  return (
    `- ${one.count} ${what}: ${one.requestsPerSecond.toFixed(0)} req/s, p50 ${one.p50Ms.toFixed(2)} ms, ` +
    `CPU ${one.cpuMicrosPerRequest?.toFixed(0) ?? '-'} us a call, ` +
    `${estimateText(one.costRatio)} of the smallest`
  )
}

function sessionsLine(one: SessionsFinding): string {
  return (
    `- ${one.sessions} legacy sessions at once, ${one.calls} calls spread over them: ` +
    `${one.requestsPerSecond.toFixed(0)} req/s, p50 ${one.p50Ms.toFixed(1)} ms, ` +
    `p99 ${one.p99Ms.toFixed(1)} ms; ${memoryText(one)}`
  )
}

function streamsLine(one: StreamsFinding): string {
  return (
    `- ${one.streams} open SSE streams for ${one.seconds} s: ${one.survived} still open; ` +
    `${one.kibPerStream?.toFixed(0) ?? '-'} KiB resident a stream`
  )
}

function soakLine(one: SoakFinding): string {
  return (
    `- soak of ${one.seconds} s at ${one.wantedPerSecond} req/s: ${one.requests} requests, ` +
    `${one.errors} errors, p50 ${one.p50Ms.toFixed(2)} ms, p99 ${one.p99Ms.toFixed(2)} ms; ${memoryText(one)}`
  )
}

function memoryText(one: {
  readonly residentMiBBefore: number | undefined
  readonly residentMiBAfter: number | undefined
}): string {
  return `${one.residentMiBBefore?.toFixed(0) ?? '-'} MiB resident before, ${one.residentMiBAfter?.toFixed(0) ?? '-'} after`
}
