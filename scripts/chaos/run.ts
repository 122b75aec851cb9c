import { type Crowd, gatherCrowd } from './crowd.ts'
import type { RunRecord, Span } from './records.ts'
import { type Action, makeSchedule } from './schedule.ts'
import { SHAKY } from './servers.ts'
import { startWorld, TENANTS, type World } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly loadMs: number
  /** How long the gateway is left alone before its memory is measured. */
  readonly idleMs: number
  readonly say: (text: string) => void
}

/** What a run tells besides its record. */
export interface ChaosRun {
  readonly record: RunRecord
  readonly schedule: readonly Action[]
  readonly events: ReadonlyMap<string, number>
  readonly samples: ReadonlyMap<string, readonly string[]>
}

/** The middle of the second half's load: by then the new process has served all it will serve. */
const WARM_SHARE = 0.35
const CRON_MS = 5_000
/** How long servers that are well again may take to be served again. */
const RECOVERY_MS = 30_000
const RECOVERY_POLL_MS = 500

/** Starts a world, hurts it by the seed's plan, and tells what happened. Everything is stopped. */
export async function runChaos(options: ChaosOptions): Promise<ChaosRun> {
  const { seed, loadMs, idleMs, say } = options
  const schedule = makeSchedule({ seed, loadMs, servers: SHAKY, tenants: TENANTS })
  const world = await startWorld(say)
  try {
    const crowd = await gatherCrowd(world.gateway, seed)
    const stage = createStage(world, crowd)
    say(`load for ${loadMs / 1000} s, seed ${seed}`)
    crowd.start()
    const stopCron = stage.cron(CRON_MS)
    let warm: number | undefined
    const warmAtMs = loadMs / 2 + (loadMs / 2) * WARM_SHARE
    await Promise.all([
      ...schedule.map(({ atMs, ...action }) => after(atMs, () => stage.act(action))),
      after(warmAtMs, async () => {
        warm = await world.gateway.residentBytes()
      }),
      after(loadMs, async () => {}),
    ])
    await crowd.stop()
    say('waiting until every server is served again')
    await recover(crowd)
    await stopCron()
    say(`idle for ${idleMs / 1000} s`)
    await after(idleMs, async () => {})
    return {
      schedule,
      record: {
        calls: crowd.calls,
        trespasses: crowd.trespasses,
        executions: world.executions,
        ...stage.done,
        faultsMet: world.faultsMet(),
        memory: { warm, afterIdle: await world.gateway.residentBytes(), idleMs },
      },
      events: world.gateway.events.counts,
      samples: world.gateway.events.samples,
    }
  } finally {
    await world.stop()
  }
}

/** Carries actions out, and notes when that was. */
function createStage(world: World, crowd: Crowd) {
  const restarts: Span[] = []
  const disabled: RunRecord['disabled'][number][] = []
  const offSince = new Map<string, number>()
  /** One after the other: a write would be lost to a gateway that restarts. */
  let managing: Promise<void> = Promise.resolve()

  async function restart(how: 'stop' | 'kill'): Promise<void> {
    const { from } = await world.gateway.restart(how)
    await crowd.renewTokens('gateway')
    // Until the last token of the old key is out of use.
    restarts.push({ from, to: Date.now() })
  }

  async function toggle(tenant: string, server: string, enabled: boolean): Promise<void> {
    const key = `${tenant} ${server}`
    const from = offSince.get(key)
    if (enabled && from !== undefined) disabled.push({ tenant, server, from, to: Date.now() })
    const admin = await world.gateway.admin(tenant)
    await admin.request('POST', `/api/v1/servers/${server}/toggle`, { enabled })
    if (!enabled) offSince.set(key, Date.now())
  }

  return {
    done: { restarts, disabled },
    async act(action: DistributiveOmit<Action, 'atMs'>): Promise<void> {
      switch (action.kind) {
        case 'fault':
          return world.use(action.server, action.fault)
        case 'heal':
          return world.use(action.server, undefined)
        case 'rotate_idp_key':
          await world.gateway.rotateIdpKey()
          return crowd.renewTokens('idp')
        case 'restart':
          managing = managing.then(() => restart(action.how))
          return managing
        case 'toggle': {
          const { tenant, server, enabled } = action
          managing = managing.then(() => toggle(tenant, server, enabled))
          return managing
        }
      }
    },
    /** Wakes the health round now and then; the result stops it. */
    cron(everyMs: number): () => Promise<void> {
      let round: Promise<void> = Promise.resolve()
      const timer = setInterval(() => {
        // During the restart nobody is there to wake.
        round = round.then(() => world.gateway.wakeCron()).catch(() => {})
      }, everyMs)
      return () => {
        clearInterval(timer)
        return round
      }
    },
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

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
          await after(RECOVERY_POLL_MS, async () => {})
        } while (Date.now() < until)
      }
    }),
  )
}

async function after(ms: number, run: () => Promise<void>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  await run()
}
