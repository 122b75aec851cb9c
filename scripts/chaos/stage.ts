import type { Crowd } from './crowd.ts'
import type { RunRecord, Span } from './records.ts'
import type { Action } from './schedule.ts'
import type { World } from './world.ts'

/** Carries actions out, and notes when that was. */
export interface Stage {
  /** What was done, so far. */
  readonly done: Pick<RunRecord, 'restarts' | 'disabled'>
  act(action: Deed): Promise<void>
  /**
   * Wakes the health round now and then, and has garbage collected: V8 lets it lie for as long as
   * there is room, and what it holds outside the heap too. What it gives stops that.
   */
  cron(everyMs: number): () => Promise<void>
}

/** An action whose time has come. */
type Deed = DistributiveOmit<Action, 'atMs'>
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** @see Stage */
export function createStage(world: World, crowd: Crowd): Stage {
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
    async act(action) {
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
    cron(everyMs) {
      let round: Promise<void> = Promise.resolve()
      const timer = setInterval(() => {
        // During the restart nobody is there to wake.
        round = round
          .then(() => Promise.all([world.gateway.wakeCron(), world.gateway.memory()]))
          .then(() => {})
          .catch(() => {})
      }, everyMs)
      return () => {
        clearInterval(timer)
        return round
      }
    },
  }
}
