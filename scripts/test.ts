import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Side } from './conformance/checks.ts'
import { countRows, reportText } from './conformance/report.ts'
import { runConformance } from './conformance/run.ts'

/**
 * `npm test`: the check, every test project, the era matrix, half a minute of chaos, the conformance
 * suite, and last the plain line `N passed, N failed`. Each step of the check, each cell of the
 * matrix, each promise of the chaos and each scenario of the suite counts as one test, so that
 * nothing red can ever end in a green line.
 */
const CHECKS = [
  { name: 'format and lint', command: ['biome', 'check', '.'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
]

const PROJECTS = ['unit', 'worker', 'flows', 'e2e']

/** Of load: with building, starting and resting that makes half a minute. */
const CHAOS_SECONDS = '22'

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.unknown()), name: z.string() }),
  ),
})

interface Tally {
  passed: number
  failed: number
  skipped: number
}

const tally: Tally = { passed: 0, failed: 0, skipped: 0 }
const startedAt = Date.now()
for (const { name, command } of CHECKS) {
  console.log(`\n== ${name}`)
  const ok = (await run(command)) === 0
  tally[ok ? 'passed' : 'failed'] += 1
}
for (const project of PROJECTS) {
  console.log(`\n== ${project} tests`)
  await runProject(project)
}
console.log('\n== era matrix')
await runCounted(['scripts/matrix.ts', '--mixed', '--evicted'])
console.log('\n== chaos')
await runCounted(['scripts/chaos.ts', '--seconds', CHAOS_SECONDS])
console.log('\n== conformance suite')
await runSuite()
const seconds = Math.round((Date.now() - startedAt) / 1000)
console.log(`\nThe whole run took ${seconds} s.`)
const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''
console.log(`${tally.passed} passed, ${tally.failed} failed${skipped}`)
process.exitCode = tally.failed > 0 ? 1 : 0

async function runProject(project: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  const file = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const code = await run(['vitest', 'run', '--project', project, ...reporters])
  const report = Report.safeParse(JSON.parse(await readFile(file, 'utf8').catch(() => 'null')))
  await rm(folder, { recursive: true })
  if (!report.success) {
    console.log(`The ${project} tests ended without a report.`)
    tally.failed += 1
    return
  }
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = report.data
  // A file that fails before its first test reports none: it counts as one.
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  // vitest also fails for what no test saw, such as an unhandled rejection.
  const unseen = code !== 0 && numFailedTests + broken === 0 ? 1 : 0
  tally.passed += numPassedTests
  tally.failed += numFailedTests + broken + unseen
  tally.skipped += numPendingTests + numTodoTests
}

/** A process of its own, which says at the end how many of its checks passed. */
async function runCounted(args: readonly string[]): Promise<void> {
  let text = ''
  const code = await run(['node', ...args], (chunk) => {
    text += chunk
  })
  console.log(text)
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(text) ?? []
  tally.passed += Number(passed ?? 0)
  // Whatever ended it without a word counts as one.
  tally.failed += Math.max(Number(failed ?? 0), code === 0 ? 0 : 1)
}

async function runSuite(): Promise<void> {
  const sides: readonly Side[] = ['direct', 'through']
  try {
    const rows = await runConformance({ sides, say: () => {} })
    console.log(reportText(rows, sides))
    const { passed, failed } = countRows(rows, sides)
    tally.passed += passed
    tally.failed += failed
  } catch (error) {
    console.log('The conformance suite could not run:', error)
    tally.failed += 1
  }
}

/** The exit code; stdout goes to `take` where it is given, and stderr nowhere. */
function run(
  [command = '', ...args]: readonly string[],
  take?: (text: string) => void,
): Promise<number> {
  const bin = join(import.meta.dirname, '../node_modules/.bin')
  const child = spawn(command === 'node' ? process.execPath : join(bin, command), args, {
    cwd: join(import.meta.dirname, '..'),
    stdio: take ? ['ignore', 'pipe', 'ignore'] : 'inherit',
    env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  })
  child.stdout?.setEncoding('utf8').on('data', take ?? (() => {}))
  return new Promise((resolve) => {
    child.on('close', (code) => resolve(code ?? 1))
    child.on('error', () => resolve(1))
  })
}
