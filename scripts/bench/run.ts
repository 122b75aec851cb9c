import { checkAnswer } from './check-answer.ts'
import type { Findings, ScaleFindings } from './findings.ts'
import { measureLists } from './lists.ts'
import { autocannonTool } from './load/autocannon.ts'
import type { LoadTool } from './load/load.ts'
import { streamTool } from './load/streams.ts'
import { findWrk } from './load/wrk.ts'
import { measureInterleaved } from './measure.ts'
import type { Options } from './options.ts'
import { type Measured, type Results, scaleResults } from './results.ts'
import { ROWS } from './rows/index.ts'
import type { Target } from './rows/row.ts'
import { measureRegistered, measureTenants, type ScalePlan } from './scale/growth.ts'
import { measureSessions } from './scale/sessions.ts'
import { soak } from './scale/soak.ts'
import { measureStreams } from './scale/streams.ts'
import { summarise } from './summary.ts'
import type { RunningWorld } from './world.ts'

/** What a run has measured: raw for the targets, summed up for the report. */
export interface Outcome {
  readonly findings: Findings
  readonly results: Results
}

/** How a run is told; the environment is known once the world runs. */
export interface RunContext {
  readonly world: RunningWorld
  readonly options: Options
  readonly tool: LoadTool
  readonly measured: Measured
  say(text: string): void
}

/** wrk where it is installed. */
export function loadToolOf(world: RunningWorld): LoadTool {
  return findWrk(world.folder) ?? autocannonTool
}

/**
 * Of each target before the first round: until its heap has grown to what it stays at. Each page that
 * is new to a process is charged to the call that touches it first.
 */
const WARM_UP_SECONDS = 6
/** (g) is no call and has a table of its own. */
const LISTS = 'g'

/** Scale runs and the soak when they are asked for, otherwise the rows. */
export async function run(context: RunContext): Promise<Outcome> {
  const { options } = context
  return options.scale.length > 0 || options.soakMinutes > 0 ? runScale(context) : runRows(context)
}

async function runRows(context: RunContext): Promise<Outcome> {
  const { world, options, tool, measured, say } = context
  const { rounds, seconds, concurrencies } = options
  const targets = await startTargets(context)
  const samples = await measureInterleaved({
    ...{ targets, rounds, seconds, concurrencies, say },
    warmUpSeconds: WARM_UP_SECONDS,
    prepare: checkAnswer,
    toolFor: ({ answer }) => (answer === 'stream' ? streamTool : tool),
  })
  const rows = summarise(samples, targets, concurrencies)
  const lists = isWanted(options, LISTS, false)
    ? await measureLists(world, { rounds, say })
    : undefined
  return {
    findings: { samples, ...(lists && { lists }) },
    results: {
      ...(rows.length > 0 && { calls: { measured, rounds, seconds, rows } }),
      ...(lists && { lists: { measured, rows: lists } }),
    },
  }
}

async function startTargets({ world, options, say }: RunContext): Promise<Target[]> {
  const targets: Target[] = []
  for (const row of ROWS.filter(({ letter, isQuick }) => isWanted(options, letter, isQuick))) {
    const missing = row.missing?.(world)
    if (missing) say(`row ${row.letter} is left out: ${missing}`)
    else targets.push(...(await row.start(world)))
  }
  for (const target of targets) await checkAnswer(target)
  return targets
}

function isWanted(options: Options, letter: string, isQuick: boolean): boolean {
  return options.only ? options.only.includes(letter) : isQuick || !options.isQuick
}

async function runScale({ world, options, tool, measured, say }: RunContext): Promise<Outcome> {
  const plan: ScalePlan = { rounds: options.rounds, seconds: options.seconds, tool, say }
  const seconds = options.soakMinutes * 60
  const asked = (name: Options['scale'][number]) => options.scale.includes(name)
  const scale: ScaleFindings = {
    ...(asked('registered') && { registered: await measureRegistered(world, plan) }),
    ...(asked('tenants') && { tenants: await measureTenants(world, plan) }),
    // Before anything else is asked of this gateway: in a heap that grew before, streams weigh nothing.
    ...(asked('streams') && { streams: await measureStreams(world, plan) }),
    ...(asked('sessions') && { sessions: await measureSessions(world, plan) }),
    ...(seconds > 0 && { soak: await soak(world, { seconds, say }) }),
  }
  return {
    findings: { samples: [], scale },
    results: { scale: scaleResults(scale, measured) },
  }
}
