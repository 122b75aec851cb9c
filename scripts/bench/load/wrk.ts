import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failedRound } from '../check-answer.ts'
import type { Target, Variant } from '../rows/row.ts'
import type { LoadResult, LoadTool } from './load.ts'
import { parseWrkOutput, RESULT_MARK } from './wrk-output.ts'

const BINARIES = ['/usr/bin/wrk', '/usr/local/bin/wrk', '/opt/homebrew/bin/wrk']
/** wrk waits for answers this long before it counts a timeout. */
const TIMEOUT_SECONDS = 10

/** Undefined when wrk is not installed. `folder` takes its scripts. */
export function findWrk(folder: string): LoadTool | undefined {
  const binary = BINARIES.find((path) => existsSync(path))
  if (binary === undefined) return undefined
  return {
    name: 'wrk, one thread',
    async run({ target, concurrency, seconds }) {
      const script = join(folder, `${target.name}.lua`)
      await writeFile(script, wrkScript(target), { mode: 0o600 })
      const output = await capture(binary, [
        ...['-t', '1', '-c', String(concurrency), '-d', `${Math.max(1, Math.round(seconds))}s`],
        ...['--timeout', `${TIMEOUT_SECONDS}s`, '-s', script, target.url],
      ])
      return throwIfFailed(target, output)
    },
  }
}

async function throwIfFailed(target: Target, output: string): Promise<LoadResult> {
  const { failures, ...result } = parseWrkOutput(output)
  if (failures > 0) {
    const round = await failedRound(target, failures, result.requests)
    throw new Error(`${round.message}\n${output.trim()}`)
  }
  return result
}

/** One fixed request, or several in turn; every answer is looked into. Pure. */
export function wrkScript({ headers, body, expect, variants = [] }: Target): string {
  return `wrk.method = 'POST'
wrk.body = ${quoted(body)}
wrk.headers = ${luaTable(headers)}
${variants.length > 0 ? takingTurns(variants) : ''}local expect = { ${expect.map(quoted).join(', ')} }
local threads = {}
bad = 0
function setup(thread) threads[#threads + 1] = thread end
function response(status, _, body)
  local ok = status == 200
  for index = 1, #expect do
    ok = ok and string.find(body, expect[index], 1, true)
  end
  if not ok then bad = bad + 1 end
end
function done(summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get('bad') end
  local errors = summary.errors
  io.write(string.format(
    '${RESULT_MARK}{"requests":%d,"micros":%d,"p50":%d,"p95":%d,"p99":%d,"wrong":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"timeout":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95),
    latency:percentile(99), wrong, errors.connect, errors.read, errors.write, errors.timeout))
end
`
}

/** The texts are made once: wrk formats nothing while it measures. */
function takingTurns(variants: readonly Variant[]): string {
  const rows = variants.map(({ path, headers }) => `  { ${quoted(path)}, ${luaTable(headers)} },`)
  return `local variants = {
${rows.join('\n')}
}
local texts, turn = {}, 0
function init()
  local common = wrk.headers
  for index, variant in ipairs(variants) do
    local headers = {}
    for name, value in pairs(common) do headers[name] = value end
    for name, value in pairs(variant[2]) do headers[name] = value end
    texts[index] = wrk.format(nil, variant[1], headers)
  end
end
function request()
  turn = turn % #texts + 1
  return texts[turn]
end
`
}

function luaTable(entries: Readonly<Record<string, string>>): string {
  const members = Object.entries(entries).map(
    ([name, value]) => `[${quoted(name)}] = ${quoted(value)}`,
  )
  return `{ ${members.join(', ')} }`
}

/** JSON's escapes of what our requests hold (quotes and backslashes) are Lua's. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

function capture(binary: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    }
    child.on('error', reject)
    child.on('exit', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`wrk ended with exit code ${code}\n${output}`))
    })
  })
}
