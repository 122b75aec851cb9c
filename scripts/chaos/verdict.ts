import { FAULT_KINDS } from '../../test/support/faults.ts'
import type { CallRecord, RunRecord, Span } from './records.ts'
import { SERVERS, SHAKY, STEADY, TENANTS } from './servers.ts'
import { SAFE_TOOL } from './upstream/tools.ts'

/** One thing that the gateway promises, and every time it was broken. */
export interface Verdict {
  readonly promise: string
  /** What it was judged by, such as `1,204 calls`. */
  readonly judged: string
  /** Evidence, one line each; empty when the promise was kept. */
  readonly broken: readonly string[]
}

export interface Terms {
  /** Memory after idleness, as a multiple of that after warm-up: resident, and of JavaScript. */
  readonly maxMemoryRatio: number
  /** The part of all pairs of client and server, and of all faults, that must have met. */
  readonly minCoverage: number
}

/** How late a server that was turned off may still be called (DESIGN.md, Decision 4). */
const TOGGLE_MS = 5_000

/** Judges a run by its record alone. */
export function judge(run: RunRecord, terms: Terms): Verdict[] {
  return [
    executedOnce(run),
    answeredOnce(run),
    nobodyElses(run),
    sessionsArePrivate(run),
    steadyServersServe(run),
    breakersWork(run),
    disabledServersRest(run),
    noInternalErrors(run),
    memoryIsGivenBack(run, terms),
    somethingHappened(run, terms),
  ]
}

function executedOnce({ calls, executions }: RunRecord): Verdict {
  const byNonce = new Map<string, number>()
  for (const { nonce, tool, server } of executions) {
    if (tool === SAFE_TOOL) continue
    const key = `${nonce} (${tool} at ${server})`
    byNonce.set(key, (byNonce.get(key) ?? 0) + 1)
  }
  const unsafe = calls.filter(({ tool }) => tool !== undefined && tool !== SAFE_TOOL)
  return {
    promise: 'no call is executed twice unless it is safe',
    judged: `${unsafe.length} calls, ${byNonce.size} executed`,
    broken: [...byNonce]
      .filter(([, times]) => times > 1)
      .map(([key, times]) => `${key} was executed ${times} times`),
  }
}

function answeredOnce({ calls, restarts }: RunRecord): Verdict {
  const broken = calls.flatMap((call) => {
    if (call.answers > 1) return [`${textOf(call)}: ${call.answers} answers`]
    if (call.answers === 1 || call.outcome.kind === 'left') return []
    return meets(call, restarts) ? [] : [`${textOf(call)}: no answer`]
  })
  const lost = calls.filter(({ answers, outcome }) => answers === 0 && outcome.kind !== 'left')
  return {
    promise: 'every request has one answer, but where the restart broke its connection',
    judged: `${calls.length} requests, ${lost.length - countOf(broken, 'no answer')} lost to the restart`,
    broken,
  }
}

function nobodyElses({ calls }: RunRecord): Verdict {
  return {
    promise: 'no answer holds anything of anybody else',
    judged: `${calls.length} answers`,
    broken: calls.flatMap((call) => {
      const { foreignCanaries, strangers, outcome } = call
      return [
        ...foreignCanaries.map((canary) => `${textOf(call)}: holds ${canary}`),
        ...(strangers > 0 ? [`${textOf(call)}: ${strangers} responses under other ids`] : []),
        ...(outcome.kind === 'wrong_result' ? [`${textOf(call)}: got ${outcome.text}`] : []),
      ]
    }),
  }
}

function sessionsArePrivate({ trespasses, restarts }: RunRecord): Verdict {
  return {
    promise: "another principal's session answers like one that does not exist",
    judged: `${trespasses.length} trespasses`,
    broken: trespasses.flatMap((trespass) => {
      const { client, owner, outcome } = trespass
      if (outcome.kind === 'error' && outcome.status === 404) return []
      if (outcome.kind !== 'wrong_result' && meets(trespass, restarts)) return []
      return [`${client} in a session of ${owner}: ${JSON.stringify(outcome)}`]
    }),
  }
}

function steadyServersServe({ calls, restarts }: RunRecord): Verdict {
  const judged = calls.filter(
    (call) =>
      (call.server === undefined || STEADY.includes(call.server)) &&
      call.outcome.kind !== 'left' &&
      !meets(call, restarts),
  )
  return {
    promise: 'servers that are well answer every call outside the restart',
    judged: `${judged.length} calls`,
    broken: judged.filter(({ outcome }) => outcome.kind !== 'result').map(textOf),
  }
}

/** Seen from outside: `upstream_unavailable`, and an answer of that server afterwards. */
function breakersWork({ calls }: RunRecord): Verdict {
  const opened = calls.filter(
    ({ outcome }) => outcome.kind === 'error' && outcome.code === 'upstream_unavailable',
  )
  const places = new Set(opened.map(placeOf))
  const stuck = SHAKY.flatMap((server) =>
    [...new Set(calls.map(({ tenant }) => tenant))].flatMap((tenant) => {
      const own = calls.filter((call) => call.server === server && call.tenant === tenant)
      return own.length > 0 && lastOf(own)?.outcome.kind !== 'result'
        ? [`${server} of ${tenant} was not served again: ${textOfLast(own)}`]
        : []
    }),
  )
  return {
    promise: 'breakers open, and close again',
    judged: `${opened.length} calls refused at ${places.size} of ${TENANTS.length * SHAKY.length} places`,
    broken: [...(opened.length === 0 ? ['no breaker opened'] : []), ...stuck],
  }
}

/** The last to begin. */
function lastOf(calls: readonly CallRecord[]): CallRecord | undefined {
  return calls.toSorted((one, other) => one.startedAt - other.startedAt).at(-1)
}

function textOfLast(calls: readonly CallRecord[]): string {
  const last = lastOf(calls)
  return last ? textOf(last) : 'never called'
}

/** Calls of servers that were off for long enough that everybody knew. */
function callsOfDisabled({ calls, disabled }: RunRecord): readonly CallRecord[] {
  return disabled.flatMap((off) =>
    calls.filter(
      (call) =>
        call.server === off.server &&
        call.tenant === off.tenant &&
        call.tool !== undefined &&
        call.startedAt > off.from + TOGGLE_MS &&
        call.endedAt < off.to,
    ),
  )
}

function disabledServersRest(run: RunRecord): Verdict {
  const { executions, disabled } = run
  const ran = new Set(executions.map(({ nonce }) => nonce))
  const judged = callsOfDisabled(run)
  return {
    promise: `a server that is turned off is left alone after ${TOGGLE_MS / 1000} s`,
    judged: `${judged.length} calls, ${disabled.length} times off`,
    broken: judged
      .filter(({ nonce, outcome }) => ran.has(nonce) || outcome.kind === 'result')
      .map(textOf),
  }
}

function noInternalErrors({ calls }: RunRecord): Verdict {
  return {
    promise: 'no answer is an internal error',
    judged: `${calls.length} answers`,
    broken: calls
      .filter(({ outcome }) => outcome.kind === 'error' && outcome.code === 'internal')
      .map(textOf),
  }
}

function memoryIsGivenBack({ memory }: RunRecord, { maxMemoryRatio }: Terms): Verdict {
  const { warm, afterIdle, idleMs } = memory
  const judged = [
    growth('resident', warm.residentBytes, afterIdle.residentBytes),
    growth('JavaScript', warm.heapBytes, afterIdle.heapBytes),
  ]
  return {
    promise: `memory is at most ${maxMemoryRatio} times that after warm-up`,
    judged: `${judged.map(({ text }) => text).join('; ')}, after ${idleMs / 1000} s idle`,
    broken: judged.filter(({ ratio }) => ratio > maxMemoryRatio).map(({ text }) => text),
  }
}

function growth(what: string, warm: number | undefined, after: number | undefined) {
  if (warm === undefined || after === undefined) {
    return { ratio: 0, text: `${what}: this system does not tell` }
  }
  const ratio = after / warm
  const text = `${what} ${mebibytes(warm)}, then ${mebibytes(after)}: ${ratio.toFixed(2)}`
  return { ratio, text }
}

/** A run in which nothing happened proves nothing. */
function somethingHappened(run: RunRecord, { minCoverage }: Terms): Verdict {
  const { calls, faultsMet, trespasses } = run
  const served = new Set(
    calls
      .filter(({ outcome, tool }) => outcome.kind === 'result' && tool !== undefined)
      .map(({ clientEra, server }) => `${clientEra} client at ${server}`),
  )
  const cells = (['modern', 'legacy'] as const).flatMap((era) =>
    SERVERS.map(({ name }) => `${era} client at ${name}`),
  )
  // Nobody sees who was refused.
  const faults = FAULT_KINDS.filter((kind) => kind !== 'refuse')
  const neverServed = cells.filter((cell) => !served.has(cell))
  const neverMet = faults.filter((kind) => (faultsMet.get(kind) ?? 0) === 0)
  const tries = {
    "a session of somebody else's": trespasses.filter(({ outcome }) => outcome.kind === 'error')
      .length,
    'a server that was off': callsOfDisabled(run).length,
  }
  const neverTried = Object.entries(tries).flatMap(([what, times]) => (times === 0 ? [what] : []))
  const isEnough = (missing: readonly string[], all: readonly string[]): boolean =>
    all.length - missing.length >= minCoverage * all.length
  return {
    promise:
      'clients of both eras were served by all servers, met every fault, and tried what is refused',
    judged: `${cells.length - neverServed.length} of ${cells.length} pairs, ${faults.length - neverMet.length} of ${faults.length} faults`,
    broken: [
      ...(isEnough(neverServed, cells) ? [] : neverServed.map((cell) => `never: ${cell}`)),
      ...(isEnough(neverTried, Object.keys(tries))
        ? []
        : neverTried.map((what) => `nobody tried ${what}`)),
      ...(isEnough(neverMet, faults) ? [] : neverMet.map((kind) => `nobody met ${kind}`)),
    ],
  }
}

function meets(call: { startedAt: number; endedAt: number }, spans: readonly Span[]): boolean {
  return spans.some(({ from, to }) => call.startedAt <= to && call.endedAt >= from)
}

function placeOf({ tenant, server }: CallRecord): string {
  return `${tenant} ${server}`
}

function textOf(call: CallRecord): string {
  const { nonce, method, tool, server, at, startedAt, endedAt, outcome } = call
  const what = `${method}${tool === undefined ? '' : ` ${tool}`} at ${at === 'shared' ? '/mcp of ' : ''}${server ?? 'all'}`
  return `${nonce} ${what}, ${new Date(startedAt).toISOString()} + ${endedAt - startedAt} ms: ${JSON.stringify(outcome)}`
}

function countOf(lines: readonly string[], part: string): number {
  return lines.filter((line) => line.endsWith(part)).length
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}
