import type { GrowthFinding, ScaleFindings } from './findings.ts'
import { estimateText } from './report-cells.ts'

/** What the scale runs found, as lines of Markdown that a terminal shows as well. Pure. */
export function scaleLines(scale: ScaleFindings): string[] {
  const { registered, tenants, sessions, streams, soak } = scale
  return [
    ...(registered ?? []).map((one) => growthLine('registered servers', one)),
    ...(tenants ?? []).map((one) => growthLine('tenants', one)),
    ...(sessions
      ? [
          `- ${sessions.sessions} legacy sessions at once, ${sessions.calls} calls spread over them: ` +
            `${sessions.requestsPerSecond.toFixed(0)} req/s, p50 ${sessions.p50Ms.toFixed(1)} ms, ` +
            `p99 ${sessions.p99Ms.toFixed(1)} ms; ${memoryText(sessions)}`,
        ]
      : []),
    ...(streams
      ? [
          `- ${streams.streams} open SSE streams for ${streams.seconds} s: ${streams.survived} still open; ` +
            `${streams.kibPerStream?.toFixed(0) ?? '-'} KiB resident a stream`,
        ]
      : []),
    ...(soak
      ? [
          `- soak of ${soak.seconds} s at ${soak.wantedPerSecond} req/s: ${soak.requests} requests, ` +
            `${soak.errors} errors, p50 ${soak.p50Ms.toFixed(2)} ms, p99 ${soak.p99Ms.toFixed(2)} ms; ${memoryText(soak)}`,
        ]
      : []),
  ]
}

function growthLine(what: string, one: GrowthFinding): string {
  return (
    `- ${one.count} ${what}: ${one.requestsPerSecond.toFixed(0)} req/s, p50 ${one.p50Ms.toFixed(2)} ms, ` +
    `CPU ${one.cpuMicrosPerRequest?.toFixed(0) ?? '-'} us a call, ` +
    `${estimateText(one.costRatio)} of the smallest`
  )
}

function memoryText(one: {
  readonly residentMiBBefore: number | undefined
  readonly residentMiBAfter: number | undefined
}): string {
  return `${one.residentMiBBefore?.toFixed(0) ?? '-'} MiB resident before, ${one.residentMiBAfter?.toFixed(0) ?? '-'} after`
}
