import { countVerdicts, reportText } from './chaos/report.ts'
import { runChaos } from './chaos/run.ts'
import { judge } from './chaos/verdict.ts'
import { readRunOptions } from './cli/run-options.ts'
import { withCleanups } from './workerd/cleanups.ts'

/**
 * `npm run chaos`: three minutes of clients, faults, toggles, new keys and a restart, then a minute
 * of rest. `-- --seed N` repeats a run, `-- --seconds S` makes its load longer or shorter: below 90
 * the faults are short, and the rest too.
 */
const { seed, seconds } = readRunOptions({
  name: 'chaos',
  seconds: 180,
  minSeconds: 20,
  help: `npm run chaos -- [options]

  --seed N       the schedule of faults and every client's choices (default 1)
  --seconds S    of load (default 180, at least 20); below 90 faults and rest are short`,
})

/** The terms of a short run leave room: what a process holds has not settled, and time may be scarce. */
const LONG_SECONDS = 90
const LONG = {
  run: { idleMs: 60_000, warmCalls: 1_500 },
  terms: { maxMemoryRatio: 1.3, minCoverage: 1 },
}
const SHORT = {
  run: { idleMs: 5_000, warmCalls: 150 },
  terms: { maxMemoryRatio: 2, minCoverage: 0.5 },
}

const options = seconds >= LONG_SECONDS ? LONG : SHORT
const say = (text: string) => console.error(`chaos: ${text}`)
const run = await withCleanups((cleanups) =>
  runChaos({ seed, loadMs: seconds * 1000, ...options.run, cleanups, say }),
)
const verdicts = judge(run.record, options.terms)
const { passed, failed } = countVerdicts(verdicts)
console.log(`\nseed ${seed}, ${seconds} s\n\n${reportText(run, verdicts)}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
