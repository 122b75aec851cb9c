import { expect } from 'vitest'
import type { Limits } from '../../src/limits/index.ts'
import { principal, type WorldOptions, world } from './world.ts'

/** A user who wants so many calls a window, evenly spread over all isolates. */
export interface User {
  readonly name: string
  readonly tenant: string
  readonly perWindow: number
  /** Windows from the beginning. */
  readonly from?: number
}

export interface Serving extends WorldOptions {
  readonly windowMs?: number
  readonly isolates?: number
}

const TICKS_PER_WINDOW = 240

/** What each user was served in each window. */
export async function served(users: readonly User[], windows: number, options: Serving) {
  const { windowMs = 60_000, isolates: count = 3 } = options
  const { isolate, admit, settle, state } = world(options)
  const isolates: Limits[] = Array.from({ length: count }, () => isolate())
  const counts = new Map(users.map(({ name }) => [name, new Array<number>(windows).fill(0)]))
  const people = users.map((user) => ({ user, who: principal(user.name, user.tenant), debt: 0 }))
  for (let tick = 0; tick < windows * TICKS_PER_WINDOW; tick += 1) {
    for (const one of people) {
      if (tick < (one.user.from ?? 0) * TICKS_PER_WINDOW) continue
      one.debt += one.user.perWindow / TICKS_PER_WINDOW
      for (; one.debt >= 1; one.debt -= 1) {
        const limits = isolates[tick % count]
        if (limits === undefined) continue
        const { kind } = await admit(limits, one.who)
        const at = Math.floor(tick / TICKS_PER_WINDOW)
        const own = counts.get(one.user.name)
        if (kind === 'admitted' && own) own[at] = (own[at] ?? 0) + 1
      }
    }
    await settle()
    state.now += windowMs / TICKS_PER_WINDOW
  }
  return counts
}

/** Of the windows from that one on. */
export function mean(counts: readonly number[], from: number): number {
  const kept = counts.slice(from)
  return kept.reduce((sum, count) => sum + count, 0) / kept.length
}

/** Whether a count is what was wanted, but for such a part of it. */
export function expectWithin(count: number, wanted: number, part: number): void {
  expect(count).toBeGreaterThanOrEqual(wanted * (1 - part))
  expect(count).toBeLessThanOrEqual(wanted * (1 + part))
}
