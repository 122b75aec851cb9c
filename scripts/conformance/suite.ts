import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { z } from 'zod'
import { interopPath } from '../../test/e2e/interop.ts'
import { startChild } from '../start/child.ts'
import { Check, type Outcome } from './checks.ts'
import type { Revision } from './scenarios.ts'

/** How a driver of client scenarios reaches the gateway; without it, it goes directly. */
export const GatewayAccess = z.object({
  /** The gateway's origin. */
  origin: z.string(),
  /** Registers servers. */
  adminToken: z.string(),
  /** Uses them. */
  userToken: z.string(),
})
export type GatewayAccess = z.infer<typeof GatewayAccess>

/** The driver finds it here, as JSON. */
export const GATEWAY_VARIABLE = 'CONFORMANCE_GATEWAY'

const CLI = interopPath('@modelcontextprotocol/conformance', 'dist/index.js')
const CLIENT_FOLDER = join(import.meta.dirname, 'client')

/** The suite's own deadline for a scenario: the longest of them waits 10 s for something. */
const SCENARIO_DEADLINE_MS = 15_000
/** A whole run takes a few seconds; many scenarios that hang shall not hold up everything. */
const RUN_DEADLINE_MS = 120_000

/**
 * Runs the suite against a server: all that it has for the revision, or one scenario. A scenario
 * that it did not come to has no entry.
 */
export async function runServerScenarios(
  url: string,
  revision: Revision,
  only?: string,
): Promise<ReadonlyMap<string, Outcome>> {
  const choice = only
    ? ['--scenario', only, '--spec-version', revision]
    : ['--requirements', revision]
  const { outcomes } = await runSuite(['server', '--url', url, ...choice])
  return outcomes
}

/** Runs one scenario for clients with our driver: through the gateway if one is given. */
export async function runClientScenario(
  scenario: string,
  revision: Revision,
  gateway?: GatewayAccess,
): Promise<Outcome | undefined> {
  const { outcomes, ended, tail } = await runSuite(
    ['client', '--command', 'node driver.ts', '--scenario', scenario, '--spec-version', revision],
    { [GATEWAY_VARIABLE]: gateway ? JSON.stringify(gateway) : undefined },
  )
  const outcome = outcomes.get(scenario)
  if (!outcome || ended === 'exit code 0') return outcome
  return { ...outcome, broken: `the run ended with ${ended}:\n${tail}` }
}

async function runSuite(args: readonly string[], env: Record<string, string | undefined> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-conformance-'))
  const child = startChild({
    name: 'conformance suite',
    args: [CLI, ...args, '--timeout', `${SCENARIO_DEADLINE_MS}`, '--output-dir', folder],
    // The suite splits `--command` at spaces, so it gets names without a path and finds them here.
    cwd: CLIENT_FOLDER,
    env: { ...env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` },
  })
  const deadline = setTimeout(() => void child.stop(), RUN_DEADLINE_MS)
  try {
    const ended = await child.exited
    const prefix = args[0] === 'server' ? 'server-' : ''
    return { outcomes: await readOutcomes(folder, prefix), ended, tail: child.tail() }
  } finally {
    clearTimeout(deadline)
    // What the suite started and left behind.
    await child.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** The suite writes one folder per scenario, `{prefix}{scenario}-{ISO time with dashes}`. */
async function readOutcomes(folder: string, prefix: string): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>()
  for (const entry of await readdir(folder)) {
    const text = await readFile(join(folder, entry, 'checks.json'), 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const scenario = entry.slice(prefix.length).replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    outcomes.set(scenario, { checks: z.array(Check).parse(JSON.parse(text)) })
  }
  return outcomes
}
