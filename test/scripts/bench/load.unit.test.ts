import { describe, expect, it } from 'vitest'
import { wrkScript } from '../../../scripts/bench/load/wrk.ts'
import { parseWrkOutput } from '../../../scripts/bench/load/wrk-output.ts'
import type { Target } from '../../../scripts/bench/rows/row.ts'

const WRK_SAYS = `Running 1s test @ http://127.0.0.1:8080/mcp
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   402.23us  100.11us   3.03ms   90.00%
    Req/Sec     3.45k     1.00k    5.00k    70.00%
  3450 requests in 1.00s, 3.29MB read
Requests/sec:   3450.00
Transfer/sec:      3.29MB
`
const line = (changes: object = {}) =>
  `bench: ${JSON.stringify({
    ...{ requests: 3450, micros: 1_000_250, p50: 402, p95: 1250, p99: 3030 },
    ...{ wrong: 0, connect: 0, read: 0, write: 0, timeout: 0 },
    ...changes,
  })}\n`

describe('parseWrkOutput', () => {
  it('reads counts, seconds and milliseconds from the line of our script', () => {
    expect(parseWrkOutput(WRK_SAYS + line())).toEqual({
      requests: 3450,
      seconds: 1.00025,
      p50Ms: 0.402,
      p95Ms: 1.25,
      p99Ms: 3.03,
      failures: 0,
    })
  })

  it('adds up every way in which a request can fail', () => {
    const failed = line({ wrong: 1, connect: 2, read: 3, write: 4, timeout: 5 })
    expect(parseWrkOutput(WRK_SAYS + failed).failures).toBe(15)
  })

  it('throws what wrk said when the script did not finish', () => {
    expect(() => parseWrkOutput('unable to connect')).toThrow('unable to connect')
    expect(() => parseWrkOutput('bench: {"requests":1}')).toThrow()
  })
})

describe('wrkScript', () => {
  const target: Target = {
    ...{ name: 'x', url: 'http://127.0.0.1:1/mcp', pids: [], answer: 'message' },
    headers: { 'mcp-name': 'say "hi"', accept: 'a, b' },
    body: '{"id":"1","text":"a\\\\b"}',
    expect: ['"id":"1"', '"result":{'],
  }

  it('sends one fixed request and looks into every answer', () => {
    const script = wrkScript(target)
    expect(script).toContain(`wrk.headers = { ["mcp-name"] = "say \\"hi\\"", ["accept"] = "a, b" }`)
    expect(script).toContain(String.raw`wrk.body = "{\"id\":\"1\",\"text\":\"a\\\\b\"}"`)
    expect(script).toContain(String.raw`local expect = { "\"id\":\"1\"", "\"result\":{" }`)
    expect(script).toContain('function response(status, _, body)')
    expect(script).not.toContain('function request()')
  })

  it('takes turns where there are several requests', () => {
    const variants = [
      { path: '/a/mcp', headers: { authorization: 'Bearer 1' } },
      { path: '/b/mcp', headers: {} },
    ]
    const script = wrkScript({ ...target, variants })
    expect(script).toContain('{ "/a/mcp", { ["authorization"] = "Bearer 1" } },')
    expect(script).toContain('{ "/b/mcp", {  } },')
    expect(script).toContain('function request()')
  })
})
