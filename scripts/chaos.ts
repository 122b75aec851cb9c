import { parseArgs } from 'node:util'
import { countVerdicts, reportText } from './chaos/report.ts'
import { runChaos } from './chaos/run.ts'
import { judge } from './chaos/verdict.ts'

/**
 * `npm run chaos`: three minutes of clients, faults, toggles, new keys and a restart, then a minute
 * of rest. `-- --seed N` repeats a run, `-- --seconds S` makes its load longer or shorter: below 90
 * the faults are short, and the rest too.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '180' },
  },
})

/** Shorter, and what a process holds has not settled: its bound is wider. */
const LONG_SECONDS = 90
const LONG = { idleMs: 60_000, warmCalls: 1_500, maxMemoryRatio: 1.3 }
const SHORT = { idleMs: 5_000, warmCalls: 150, maxMemoryRatio: 2 }

const seed = wholeNumber('seed', values.seed, 0)
const seconds = wholeNumber('seconds', values.seconds, 20)
const { maxMemoryRatio, ...rest } = seconds >= LONG_SECONDS ? LONG : SHORT
const say = (text: string) => console.error(`chaos: ${text}`)
const run = await runChaos({ seed, loadMs: seconds * 1000, ...rest, say })
const verdicts = judge(run.record, { maxMemoryRatio })
const { passed, failed } = countVerdicts(verdicts)
console.log(`\nseed ${seed}, ${seconds} s\n\n${reportText(run, verdicts)}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= min) return value
  throw new Error(`--${name} takes a whole number, at least ${min}`)
}
