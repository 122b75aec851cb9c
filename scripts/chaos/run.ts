import type { Cleanups } from '../workerd/cleanups.ts'
import { type Crowd, gatherCrowd } from './crowd.ts'
import type { MemoryUse, RunRecord } from './records.ts'
import { type Action, makeSchedule } from './schedule.ts'
import { SHAKY, TENANTS } from './servers.ts'
import { createStage, type Stage } from './stage.ts'
import { after, allOrNone } from './timeline.ts'
import { startWorld, type World } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly loadMs: number
  /** Requests that a process has answered when it is warm: by then it has met everything. */
  readonly warmCalls: number
  /** How long the gateway is left alone before its memory is measured. */
  readonly idleMs: number
  /** Gets an entry for whatever is started. */
  readonly cleanups: Cleanups
  readonly say: (text: string) => void
}

/** What a run tells besides its record. */
export interface ChaosRun {
  readonly record: RunRecord
  readonly schedule: readonly Action[]
  readonly events: ReadonlyMap<string, number>
  readonly samples: ReadonlyMap<string, readonly string[]>
}

const CRON_MS = 5_000
const WARM_POLL_MS = 200
/** How long servers that are well again may take to be served again. */
const RECOVERY_MS = 30_000
const RECOVERY_POLL_MS = 500

/** Starts a world, hurts it by the seed's plan, and tells what happened. */
export async function runChaos(options: ChaosOptions): Promise<ChaosRun> {
  const { seed, loadMs, cleanups, say } = options
  const schedule = makeSchedule({ seed, loadMs, servers: SHAKY, tenants: TENANTS })
  const world = await startWorld(cleanups, say)
  const crowd = await gatherCrowd(world.gateway, seed)
  cleanups.add(crowd.stop)
  say(`load for ${loadMs / 1000} s, seed ${seed}`)
  crowd.start()
  const record = await play(world, crowd, schedule, options)
  return {
    ...{ record, schedule },
    events: world.gateway.events.counts,
    samples: world.gateway.events.samples,
  }
}

async function play(
  world: World,
  crowd: Crowd,
  schedule: readonly Action[],
  { loadMs, warmCalls, idleMs, cleanups, say }: ChaosOptions,
): Promise<RunRecord> {
  const stage = createStage(world, crowd)
  const stopCron = stage.cron(CRON_MS)
  let warm: MemoryUse
  try {
    warm = await allOrNone(cleanups, (signal) => [
      memoryWhenWarm(world, crowd, stage, { warmCalls, until: Date.now() + loadMs, signal }),
      ...schedule.map(({ atMs, ...action }) => after(atMs, () => stage.act(action), signal)),
      after(loadMs, undefined, signal),
    ])
    await crowd.stop()
    say('waiting until every server is served again')
    await recover(crowd)
  } finally {
    await stopCron()
  }
  say(`idle for ${idleMs / 1000} s`)
  await after(idleMs)
  return {
    calls: crowd.calls,
    trespasses: crowd.trespasses,
    executions: world.executions,
    ...stage.done,
    faultsMet: world.faultsMet(),
    memory: { warm, afterIdle: await world.gateway.memory(), idleMs },
  }
}

/** Of the process that came by the restart, once it is warm or the load over. */
async function memoryWhenWarm(
  { gateway }: World,
  { calls }: Crowd,
  { done }: Stage,
  terms: { readonly warmCalls: number; readonly until: number; readonly signal: AbortSignal },
): Promise<MemoryUse> {
  let before: number | undefined
  while (Date.now() < terms.until) {
    if (done.restarts.length > 0) before ??= calls.length
    if (before !== undefined && calls.length - before >= terms.warmCalls) break
    await after(WARM_POLL_MS, undefined, terms.signal)
  }
  return gateway.memory()
}

/** Asks every server that was hurt, in each tenant, until it answers. */
async function recover(crowd: Crowd): Promise<void> {
  const until = Date.now() + RECOVERY_MS
  await Promise.all(
    TENANTS.map(async (tenant) => {
      const visitor = crowd.visitor(tenant)
      for (const server of SHAKY) {
        do {
          await visitor.take({
            kind: 'call',
            tool: 'echo',
            server,
            at: 'server',
            isolate: 0,
            pauseMs: 0,
          })
          const last = crowd.calls.findLast((call) => call.client === `${tenant}-visitor`)
          if (last?.outcome.kind === 'result') break
          await after(RECOVERY_POLL_MS)
        } while (Date.now() < until)
      }
    }),
  )
}
