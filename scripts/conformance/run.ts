import { join } from 'node:path'
import { installInterop } from '../../test/e2e/interop.ts'
import { launchAnnounced } from '../samples/launch.ts'
import type { Outcome, Row, Side } from './checks.ts'
import { startGateway } from './gateway.ts'
import { assertFixture } from './preflight.ts'
import { CLIENT_SCENARIOS, REVISIONS, type Revision, serverScenarios } from './scenarios.ts'
import { type GatewayAccess, runClientScenario, runServerScenarios } from './suite.ts'

export interface ConformanceOptions {
  readonly sides: readonly Side[]
  /** One scenario instead of all. */
  readonly only?: string | undefined
  readonly say: (text: string) => void
}

/** Where one column of the table is measured. */
interface Place {
  readonly side: Side
  /** The server under test. */
  readonly url: string
  /** What the client under test goes through. */
  readonly access?: GatewayAccess
}

/**
 * Runs the official suite against the fixture and against the gateway in front of it, and its
 * client scenarios against an SDK client and against one behind the gateway. Takes about a minute.
 */
export async function runConformance(options: ConformanceOptions): Promise<Row[]> {
  const { sides, say } = options
  await installInterop()
  const cleanups: (() => Promise<unknown>)[] = []
  try {
    say('starting the fixture')
    const main = join(import.meta.dirname, 'fixture/main.ts')
    const fixture = await launchAnnounced('conformance fixture', main)
    cleanups.push(fixture.stop)
    for (const revision of REVISIONS) await assertFixture(fixture.url, revision)

    const places: Place[] = []
    if (sides.includes('direct')) places.push({ side: 'direct', url: fixture.url })
    if (sides.includes('through')) {
      say('building and starting the gateway')
      const { url, access, stop } = await startGateway(fixture.url)
      cleanups.push(stop)
      places.push({ side: 'through', url, access })
    }

    const rows: Row[] = []
    for (const revision of REVISIONS) {
      rows.push(...(await serverRows(places, revision, options)))
      rows.push(...(await clientRows(places, revision, options)))
    }
    return rows
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

/** One run of the suite per place. */
async function serverRows(
  places: readonly Place[],
  revision: Revision,
  { only, say }: ConformanceOptions,
): Promise<Row[]> {
  const scenarios = chosen(await serverScenarios(revision), only)
  if (scenarios.length === 0) return []
  const found = new Map<Side, ReadonlyMap<string, Outcome>>()
  for (const { side, url } of places) {
    say(`${revision}: server scenarios, ${side}`)
    found.set(side, await runServerScenarios(url, revision, only))
  }
  return scenarios.map((scenario) => ({
    revision,
    leg: 'server',
    scenario,
    outcomes: outcomesOf((side) => found.get(side)?.get(scenario)),
  }))
}

/** One run of the suite per place and scenario: each gets a client of its own. */
async function clientRows(
  places: readonly Place[],
  revision: Revision,
  { only, say }: ConformanceOptions,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const scenario of chosen(CLIENT_SCENARIOS[revision], only)) {
    const found = new Map<Side, Outcome | undefined>()
    for (const { side, access } of places) {
      say(`${revision}: client scenario ${scenario}, ${side}`)
      found.set(side, await runClientScenario(scenario, revision, access))
    }
    rows.push({ revision, leg: 'client', scenario, outcomes: outcomesOf((s) => found.get(s)) })
  }
  return rows
}

function chosen(scenarios: readonly string[], only: string | undefined): readonly string[] {
  return only === undefined ? scenarios : scenarios.filter((scenario) => scenario === only)
}

function outcomesOf(find: (side: Side) => Outcome | undefined): Row['outcomes'] {
  const direct = find('direct')
  const through = find('through')
  return { ...(direct ? { direct } : {}), ...(through ? { through } : {}) }
}
