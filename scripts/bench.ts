import { checkAnswer } from './bench/check-answer.ts'
import { environmentOf } from './bench/environment.ts'
import type { Findings } from './bench/findings.ts'
import { autocannonTool } from './bench/load/autocannon.ts'
import { streamTool } from './bench/load/streams.ts'
import { findWrk } from './bench/load/wrk.ts'
import { measureInterleaved, type Sample } from './bench/measure.ts'
import { HELP, type Options, parseOptions } from './bench/options.ts'
import { type Results, resultsText, writeResults } from './bench/report.ts'
import { ROWS } from './bench/rows/index.ts'
import type { Target } from './bench/rows/row.ts'
import { summarise } from './bench/summary.ts'
import { checkTargets } from './bench/targets-check.ts'
import { type RunningWorld, startWorld } from './bench/world.ts'
import { stopEveryChild } from './start/child.ts'

/** `npm run bench`: what a call costs through the gateway, next to the least it could cost. */

const WARM_UP_SECONDS = 2

const options = readOptions()
const world = await startWorld({ ...options, say })
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void Promise.all([world.stop(), stopEveryChild()]).finally(() => process.exit(1))
  })
}
try {
  process.exitCode = await run(world)
} finally {
  await world.stop()
}

async function run(started: RunningWorld): Promise<number> {
  const closedLoop = findWrk(started.folder) ?? autocannonTool
  const targets = await startTargets(started)
  for (const target of targets) await checkAnswer(target)
  const { rounds, seconds, concurrencies } = options
  const samples: Sample[] = await measureInterleaved({
    ...{ targets, rounds, seconds, concurrencies, say },
    warmUpSeconds: WARM_UP_SECONDS,
    toolFor: ({ answer }) => (answer === 'stream' ? streamTool : closedLoop),
  })
  const measured = {
    ...environmentOf({ upstream: started.upstream.software, load: closedLoop.name }),
    command: options.command,
    day: new Date().toISOString().slice(0, 10),
  }
  const rows = summarise(samples, targets, concurrencies)
  const findings: Findings = { samples }
  const results: Results = { calls: { measured, rounds, seconds, rows } }
  const checked = options.checks ? checkTargets(findings) : []
  console.log(`\n${resultsText(results, checked)}\n`)
  if (options.writes) {
    await writeResults(results)
    say('wrote docs/bench/results.json and docs/bench/results.md')
  }
  return checked.some(({ verdict }) => verdict === 'missed') ? 1 : 0
}

async function startTargets(started: RunningWorld): Promise<Target[]> {
  const wanted = ROWS.filter(({ letter, isQuick }) =>
    options.only ? options.only.includes(letter) : isQuick || !options.isQuick,
  )
  const targets: Target[] = []
  for (const row of wanted) {
    const missing = row.missing?.(started)
    if (missing) say(`row ${row.letter} is left out: ${missing}`)
    else targets.push(...(await row.start(started)))
  }
  return targets
}

function readOptions(): Options {
  try {
    const parsed = parseOptions(process.argv.slice(2))
    if (parsed !== 'help') return parsed
    console.log(HELP)
    process.exit(0)
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    console.error('npm run bench -- --help shows what there is.')
    process.exit(2)
  }
}

function say(text: string): void {
  console.error(`bench: ${text}`)
}
