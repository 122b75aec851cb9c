import { inspect } from 'node:util'
import { environmentOf } from './bench/environment.ts'
import { HELP, type Options, parseOptions } from './bench/options.ts'
import { resultsText, writeResults } from './bench/report.ts'
import { loadToolOf, type Outcome, run } from './bench/run.ts'
import { checkProblem, checkTargets } from './bench/targets-check.ts'
import { type RunningWorld, startWorld } from './bench/world.ts'
import { withCleanups } from './workerd/cleanups.ts'

/** `npm run bench`: what a call costs through the gateway, next to the least it could cost. */

const options = readOptions()
await withCleanups(async (cleanups) => {
  const world = await startWorld({ ...options, cleanups, say })
  process.exitCode = await report(await measure(world))
}).catch((thrown: unknown) => {
  // What we throw says what, why and how; anything else is a fault of ours, and its stack says where.
  const isSaid = thrown instanceof Error && thrown.constructor === Error
  say(`no figures: ${isSaid ? thrown.message : inspect(thrown)}`)
  process.exitCode = 1
})

function measure(running: RunningWorld): Promise<Outcome> {
  const tool = loadToolOf(running)
  const measured = {
    ...environmentOf({ upstream: running.upstream.software, load: tool.name }),
    command: options.command,
    day: new Date().toISOString().slice(0, 10),
  }
  return run({ world: running, options, tool, measured, say })
}

/** Prints and writes what was found; 1 when a target is missed, or could not be judged. */
async function report({ findings, results }: Outcome): Promise<0 | 1> {
  const checked = options.checks ? checkTargets(findings) : []
  console.log(`\n${resultsText(results, checked)}\n`)
  if (options.writes) {
    await writeResults(results)
    say('wrote docs/bench/results.json and docs/bench/results.md')
  }
  const problem = options.checks ? checkProblem(checked) : undefined
  if (problem) say(`the check fails: ${problem}`)
  const hasErrors = (results.scale?.soak?.errors ?? 0) > 0
  return hasErrors || problem ? 1 : 0
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
