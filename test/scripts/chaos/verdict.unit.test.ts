import { describe, expect, it } from 'vitest'
import type { CallRecord, MemoryUse, Outcome, RunRecord } from '../../../scripts/chaos/records.ts'
import { SERVERS } from '../../../scripts/chaos/servers.ts'
import { judge } from '../../../scripts/chaos/verdict.ts'
import { FAULT_KINDS } from '../../support/faults.ts'

const RESTART = { from: 50_000, to: 52_000 }
const OFF = { tenant: 'north', server: 'legacy-shaky', from: 60_000, to: 70_000 }
const VISIT = { client: 'ben', owner: 'canary-north-ann', startedAt: 50_500, endedAt: 51_000 }
const MIB = 2 ** 20
const refusal = (code: string, status = 503): Outcome => ({
  kind: 'error',
  status,
  rpc: -31_014,
  code,
  text: '',
})

let nextNonce = 0
function call(more: Partial<CallRecord> = {}): CallRecord {
  nextNonce += 1
  return {
    nonce: `call-${nextNonce}`,
    client: 'ann',
    clientEra: 'modern',
    method: 'tools/call',
    tool: 'echo',
    server: 'modern-steady',
    at: 'server',
    tenant: 'north',
    canary: 'canary-north-ann',
    startedAt: 10_000,
    endedAt: 10_050,
    outcome: { kind: 'result' },
    answers: 1,
    strangers: 0,
    foreignCanaries: [],
    ...more,
  }
}

const run = (nonce: string, tool = 'echo', server = 'modern-steady') => ({
  nonce,
  server,
  tool,
  at: 10_010,
})

/** A run in which every promise was kept, and what is told besides. */
function record(calls: readonly CallRecord[] = [], more: Partial<RunRecord> = {}): RunRecord {
  const served = (['modern', 'legacy'] as const).flatMap((clientEra) =>
    SERVERS.map(({ name: server }) =>
      call({ clientEra, server, startedAt: 90_000, endedAt: 90_050 }),
    ),
  )
  const opened = call({ server: 'dual-shaky', outcome: refusal('upstream_unavailable') })
  const gone = refusal('not_found', 404)
  const ofDisabled = call({ server: OFF.server, startedAt: 67_000, endedAt: 67_050, outcome: gone })
  return {
    calls: [opened, ofDisabled, ...calls, ...served],
    trespasses: [{ ...VISIT, outcome: refusal('session_not_found', 404) }],
    executions: [],
    restarts: [RESTART],
    disabled: [OFF],
    faultsMet: new Map(FAULT_KINDS.map((kind) => [kind, 1])),
    memory: { warm: memory(100, 30), afterIdle: memory(120, 32), idleMs: 60_000 },
    ...more,
  }
}

/** The promises that were broken, and the evidence. */
function brokenBy(run: RunRecord, minCoverage = 1): readonly string[] {
  return judge(run, { maxMemoryRatio: 1.3, minCoverage }).flatMap(({ promise, broken }) =>
    broken.map((line) => `${promise.split(' ').slice(0, 3).join(' ')}: ${line}`),
  )
}

describe('the verdict on a run', () => {
  it('is good when every promise was kept', () => {
    expect(brokenBy(record())).toEqual([])
  })

  it('names a call that was executed twice, unless it was safe', () => {
    const executions = [run('a'), run('a'), run('b', 'read'), run('b', 'read'), run('c')]
    expect(brokenBy(record([], { executions }))).toEqual([
      'no call is: a (echo at modern-steady) was executed 2 times',
    ])
  })

  it('misses every answer but those that the restart took and that nobody waited for', () => {
    const broken = { outcome: { kind: 'broken', reason: 'reset' }, answers: 0 } as const
    const shaky = { server: 'dual-shaky', ...broken }
    const inRestart = { ...shaky, startedAt: 49_000, endedAt: 50_100 }
    const left = call({ server: 'dual-shaky', outcome: { kind: 'left' }, answers: 0 })
    expect(brokenBy(record([call(inRestart), left]))).toEqual([])
    const lines = brokenBy(record([call({ ...shaky, nonce: 'lost' })]))
    expect(lines).toEqual([expect.stringMatching(/^every request has: lost .*no answer$/)])
  })

  it('counts answers under one id', () => {
    const lines = brokenBy(record([call({ nonce: 'echoing', answers: 2 })]))
    expect(lines).toEqual([expect.stringMatching(/^every request has: echoing .*2 answers$/)])
  })

  it.each<[string, Partial<CallRecord>]>([
    ["another's canary", { foreignCanaries: ['canary-south-ben'] }],
    ['a response under another id', { strangers: 1 }],
  ])('finds %s in an answer', (_what, more) => {
    expect(brokenBy(record([call({ server: 'dual-shaky', ...more })]))).toEqual([
      expect.stringMatching(/^no answer holds/),
    ])
  })

  it('finds a result that belongs to another call', () => {
    const outcome = { kind: 'wrong_result', text: 'canary' } as const
    expect(brokenBy(record([call({ server: 'dual-shaky', outcome })]))).toEqual([
      expect.stringMatching(/^no answer holds/),
    ])
  })

  it("lets nobody into another's session, restart or not", () => {
    const kept = { ...VISIT, outcome: refusal('session_not_found', 404) }
    const told = (outcome: Outcome) =>
      brokenBy(record([], { trespasses: [kept, { ...VISIT, outcome }] }))
    expect(told(refusal('session_not_found', 404))).toEqual([])
    expect(told({ kind: 'broken', reason: 'refused' })).toEqual([])
    expect(told({ kind: 'wrong_result', text: 'hello' })).toHaveLength(1)
  })

  it('wants every call at a server that is well to succeed, but in the restart', () => {
    const failed = { outcome: refusal('upstream_failed', 200) }
    expect(brokenBy(record([call({ ...failed, startedAt: 51_900, endedAt: 53_000 })]))).toEqual([])
    expect(brokenBy(record([call(failed)]))).toEqual([expect.stringMatching(/^servers that are:/)])
    expect(brokenBy(record([call({ ...failed, server: undefined })]))).toEqual([
      expect.stringMatching(/^servers that are:/),
    ])
    expect(brokenBy(record([call({ ...failed, server: 'dual-shaky' })]))).toEqual([])
  })

  it('wants breakers to open, and every server to be served in the end', () => {
    const never = record()
    const calls = never.calls.filter(({ server }) => server !== 'dual-shaky')
    calls.push(call({ server: 'dual-shaky', startedAt: 90_000, endedAt: 90_050 }))
    calls.push(call({ server: 'dual-shaky', clientEra: 'legacy', startedAt: 90_000 }))
    expect(brokenBy({ ...never, calls })).toEqual(['breakers open, and: no breaker opened'])
    const late = call({
      server: 'dual-shaky',
      startedAt: 95_000,
      outcome: refusal('upstream_unavailable'),
    })
    expect(brokenBy(record([late]))).toEqual([
      expect.stringMatching(/^breakers open, and: dual-shaky of north was not served again/),
    ])
  })

  it('gives a server that was turned off five seconds', () => {
    const disabled = [OFF, { tenant: 'north', server: 'dual-shaky', from: 20_000, to: 30_000 }]
    const at = (startedAt: number) => {
      const late = call({ server: 'dual-shaky', startedAt, endedAt: startedAt + 10 })
      const executions = [run(late.nonce, 'echo', 'dual-shaky')]
      return brokenBy(record([late], { disabled, executions }))
    }
    expect(at(24_000)).toEqual([])
    expect(at(31_000)).toEqual([])
    expect(at(26_000)).toEqual([expect.stringMatching(/^a server that:/)])
  })

  it('proves nothing where nobody tried what is refused, or only half of it', () => {
    expect(brokenBy(record([], { trespasses: [], disabled: [] }))).toEqual([
      expect.stringMatching(/^clients of both: nobody tried a session/),
      expect.stringMatching(/^clients of both: nobody tried a server/),
    ])
    expect(brokenBy(record([], { disabled: [] }))).toEqual([
      'clients of both: nobody tried a server that was off',
    ])
    expect(brokenBy(record([], { disabled: [] }), 0.5)).toEqual([])
  })

  it('finds internal errors', () => {
    const calls = [call({ server: 'dual-shaky', outcome: refusal('internal', 500) })]
    expect(brokenBy(record(calls))).toEqual([expect.stringMatching(/^no answer is:/)])
  })

  it('compares memory after idleness with that after warm-up', () => {
    const judged = (warm: MemoryUse, afterIdle: MemoryUse) =>
      brokenBy(record([], { memory: { warm, afterIdle, idleMs: 60_000 } }))
    expect(judged(memory(100, 30), memory(131, 31))).toEqual([
      'memory is at: resident 100.0 MiB, then 131.0 MiB: 1.31',
    ])
    expect(judged(memory(100, 30), memory(101, 42))).toEqual([
      'memory is at: JavaScript 30.0 MiB, then 42.0 MiB: 1.40',
    ])
    expect(judged(memory(undefined, 30), memory(undefined, 30))).toEqual([])
  })

  it('believes no run in which a fault met nobody, or somebody was never served', () => {
    const faultsMet = new Map(FAULT_KINDS.slice(2).map((kind) => [kind, 1]))
    expect(brokenBy(record([], { faultsMet }))).toEqual(['clients of both: nobody met hang'])
    expect(brokenBy(record([], { faultsMet }), 0.5)).toEqual([])
    expect(brokenBy(record([], { faultsMet: new Map() }), 0.5)).toHaveLength(8)
  })
})

/** In MiB. */
function memory(resident: number | undefined, heap: number): MemoryUse {
  const residentBytes = resident === undefined ? undefined : resident * MIB
  return { residentBytes, heapBytes: heap * MIB }
}
