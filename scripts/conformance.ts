import { parseArgs } from 'node:util'
import type { Side } from './conformance/checks.ts'
import { countRows, reportText } from './conformance/report.ts'
import { runConformance } from './conformance/run.ts'

/**
 * `npm run conformance`: the official conformance suite, directly and through the gateway.
 * While working on one side or scenario: `-- --direct`, `-- --through`, `-- --only NAME`.
 */
const { values } = parseArgs({
  options: {
    direct: { type: 'boolean', default: false },
    through: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const both: readonly Side[] = ['direct', 'through']
const chosen = both.filter((side) => values[side])
const sides = chosen.length > 0 ? chosen : both

const rows = await runConformance({
  sides,
  only: values.only,
  say: (text) => console.error(`conformance: ${text}`),
})
const { passed, failed } = countRows(rows, sides)
console.log(`\n${reportText(rows, sides)}\n`)
console.log(`${passed} scenarios passed, ${failed} failed`)
process.exitCode = failed > 0 || rows.length === 0 ? 1 : 0
