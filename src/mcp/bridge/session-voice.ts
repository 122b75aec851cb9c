import { isLogLevel, leastSevere } from '../log-levels.ts'
import { COURTESY_MS } from '../upstream/courtesy.ts'
import { hopTwoHeaders } from '../upstream/headers.ts'
import { setLogLevel } from '../upstream/set-log-level.ts'
import type { UpstreamOutbound } from '../upstream/transports.ts'
import type { HeldCall } from './bridge-state.ts'

/** What the gateway itself says in a session at a legacy server. */
export interface SessionVoice {
  /** Sends a message: whether the server took it. Never rejects. */
  post(held: HeldCall, text: string): Promise<boolean>
  /**
   * Has the server log from the least severe of the levels on: each caller gets of it what it wants.
   * One after the other, so that a call is sent when its level holds. Never rejects.
   */
  setLevel(held: HeldCall, levels: Iterable<string | undefined>): Promise<void>
  /** The session is another one now. */
  forget(): void
}

/** @see SessionVoice */
export function createSessionVoice(outbound: () => UpstreamOutbound): SessionVoice {
  /** As it was set last. */
  let level: string | undefined
  let setting: Promise<void> = Promise.resolve()

  async function set(held: HeldCall, levels: Iterable<string | undefined>): Promise<void> {
    const wanted = leastSevere([...levels].filter(isLogLevel))
    if (wanted === undefined || wanted === level) return
    const { url, endpoint, transport, custom, timeoutMs, sessionId, version } = held
    const address = { url, endpoint, transport, headers: custom, timeoutMs }
    await setLogLevel(outbound(), address, { upstreamId: sessionId, version }, wanted)
    level = wanted
  }

  return {
    async post({ url, endpoint, transport, custom, sessionId, version }, text) {
      const sent = await outbound().send({
        ...{ url, endpoint, transport, method: 'POST', body: text, timeoutMs: COURTESY_MS },
        headers: hopTwoHeaders({ custom, version, sessionId }),
      })
      if (sent.kind === 'fault') return false
      await sent.response.body?.cancel()
      return sent.response.ok
    },

    setLevel(held, levels) {
      setting = setting.then(() => set(held, levels)).catch(() => undefined)
      return setting
    },

    forget() {
      level = undefined
    },
  }
}
