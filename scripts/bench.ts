import { createRequire } from 'node:module'
import { cpuSeconds } from './bench/cpu.ts'
import { type LoadOptions, runLoad } from './bench/load.ts'
import { type Measurement, rowsText, withRatios, writeReport } from './bench/report.ts'
import { startTargets, type Target } from './bench/targets.ts'

/** `npm run bench`: what a call costs through the gateway, next to the least it could cost. */

const CONCURRENCIES = [1, 32]
const WARM_UP_MS = 1_000
const MEASURE_MS = 5_000

const BODY = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: { message: 'hello' },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
    },
  },
})
const HEADERS = {
  'content-type': 'application/json',
  'content-length': String(Buffer.byteLength(BODY)),
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'echo',
}

const targets = await startTargets(say)
try {
  const measurements: Measurement[] = []
  for (const concurrency of CONCURRENCIES) {
    for (const target of targets.list) {
      say(`measuring ${target.name} with ${concurrency} at once`)
      measurements.push(await measure(target, concurrency))
    }
  }
  const rows = withRatios(measurements)
  const { version }: { version: string } = createRequire(import.meta.url)('workerd/package.json')
  await writeReport(rows, { node: process.versions.node, workerd: version })
  console.log(`\n${rowsText(rows)}\n`)
  say('wrote docs/bench/latest.md and docs/bench/latest.json')
} finally {
  await targets.stop()
}

async function measure(target: Target, concurrency: number): Promise<Measurement> {
  const load: Omit<LoadOptions, 'durationMs'> = {
    url: target.url,
    headers: { ...HEADERS, ...target.headers },
    body: BODY,
    concurrency,
    expect: '"result":{',
  }
  await runLoad({ ...load, durationMs: WARM_UP_MS })
  const before = await cpuSeconds(target.pid)
  const result = await runLoad({ ...load, durationMs: MEASURE_MS })
  const after = await cpuSeconds(target.pid)
  const cpuMicrosPerRequest =
    before === undefined || after === undefined
      ? undefined
      : ((after - before) * 1e6) / result.requests
  return { ...result, target: target.name, concurrency, cpuMicrosPerRequest }
}

function say(text: string): void {
  console.error(`bench: ${text}`)
}
