import { countVerdicts } from './chaos/report.ts'
import { readRunOptions } from './cli/run-options.ts'
import { fairnessText, judgeFairness } from './fairness/report.ts'
import { runFairness } from './fairness/run.ts'
import { withCleanups } from './workerd/cleanups.ts'

/**
 * `npm run fairness`: 100 users over 10 tenants for a minute below the limit, and for a minute with
 * two greedy ones in each tenant. `-- --seconds S` for another length of each, `-- --seed N`.
 */
const { seed, seconds } = readRunOptions({
  name: 'fairness',
  seconds: 60,
  minSeconds: 10,
  help: `npm run fairness -- [options]

  --seed N       who calls when (default 1)
  --seconds S    of each of the two phases (default 60, at least 10)`,
})
const say = (text: string) => console.error(`fairness: ${text}`)
const run = await withCleanups((cleanups) =>
  runFairness({ seed, phaseMs: seconds * 1000, cleanups, say }),
)
const verdicts = judgeFairness(run)
const { passed, failed } = countVerdicts(verdicts)
console.log(`\n${fairnessText(run, verdicts)}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
