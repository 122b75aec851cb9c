import { parseArgs } from 'node:util'
import type { Place } from './matrix/cell.ts'
import { countOutcomes, reportText } from './matrix/report.ts'
import { runMatrix } from './matrix/run.ts'

/**
 * `npm run matrix`: clients and servers of either era through the gateway, 44 cells.
 * `-- --mixed` runs them at `/mcp` as well, `-- --evicted` takes the object away under calls that are
 * parked, `-- --slow` does so and parks others for a minute; `-- --only TOPIC` runs a row alone.
 */
const { values } = parseArgs({
  options: {
    mixed: { type: 'boolean', default: false },
    evicted: { type: 'boolean', default: false },
    slow: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const places: readonly Place[] = values.mixed ? ['single', 'mixed'] : ['single']
const outcomes = await runMatrix({
  places,
  only: values.only,
  evicted: values.evicted || values.slow,
  parked: values.slow,
  say: (text) => console.error(`matrix: ${text}`),
})
const { passed, failed } = countOutcomes(outcomes)
console.log(`\n${reportText(outcomes)}\n`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || outcomes.length === 0 ? 1 : 0
