import { FAULT_KINDS, type FaultKind } from '../../test/support/faults.ts'
import { createRandom, type Random, seedFor } from './random.ts'

/** What is done to the world, and when: ms since the load began. */
export type Action = { readonly atMs: number } & (
  | { readonly kind: 'fault'; readonly server: string; readonly fault: FaultKind }
  | { readonly kind: 'heal'; readonly server: string }
  | {
      readonly kind: 'toggle'
      readonly tenant: string
      readonly server: string
      readonly enabled: boolean
    }
  /** The identity provider signs with a new key; the one before stays published. */
  | { readonly kind: 'rotate_idp_key' }
  /** The gateway gets new secrets, the old one as `GATEHOUSE_SECRET_PREVIOUS`. */
  | { readonly kind: 'restart'; readonly how: 'stop' | 'kill' }
)

export interface ScheduleOptions {
  readonly seed: number
  readonly loadMs: number
  /** Those that may be hurt. */
  readonly servers: readonly string[]
  readonly tenants: readonly string[]
}

/** How a run of this length is divided; all in ms. */
interface Tempo {
  /** Nothing happens before, for the warm-up, nor in this time at the end, for recovery. */
  readonly quietStartMs: number
  readonly quietEndMs: number
  readonly faultMs: readonly [number, number]
  readonly gapMs: readonly [number, number]
  /** Longer than a change takes to be known everywhere (5 s). */
  readonly offMs: number
  readonly toggles: number
}

/** From here on a run has time for long faults. */
const LONG_RUN_MS = 90_000
const LONG: Tempo = {
  quietStartMs: 15_000,
  quietEndMs: 15_000,
  faultMs: [3_000, 8_000],
  gapMs: [3_000, 9_000],
  offMs: 10_000,
  toggles: 4,
}
const SHORT: Tempo = {
  quietStartMs: 3_000,
  quietEndMs: 3_000,
  faultMs: [1_500, 2_500],
  gapMs: [800, 1_800],
  offMs: 7_000,
  toggles: 1,
}

/** A plan that the seed determines: every kind of fault, in time order. */
export function makeSchedule(options: ScheduleOptions): Action[] {
  const tempo = options.loadMs >= LONG_RUN_MS ? LONG : SHORT
  const random = createRandom(seedFor(options.seed, 'schedule'))
  return [
    ...planFaults(random, tempo, options),
    ...planToggles(random, tempo, options),
    ...planKeys(random, options),
  ].sort((one, other) => one.atMs - other.atMs)
}

/** Server by server from a common deck, so that no kind is left out while there is a slot for it. */
function planFaults(random: Random, tempo: Tempo, options: ScheduleOptions): Action[] {
  const endMs = options.loadMs - tempo.quietEndMs
  const slots: { server: string; atMs: number; untilMs: number }[] = []
  for (const server of options.servers) {
    let atMs = tempo.quietStartMs + random.between(0, tempo.gapMs[1])
    for (;;) {
      const untilMs = atMs + random.between(...tempo.faultMs)
      if (untilMs > endMs) break
      slots.push({ server, atMs: Math.round(atMs), untilMs: Math.round(untilMs) })
      atMs = untilMs + random.between(...tempo.gapMs)
    }
  }
  let deck: FaultKind[] = []
  return random.shuffle(slots).flatMap(({ server, atMs, untilMs }): Action[] => {
    if (deck.length === 0) deck = random.shuffle(FAULT_KINDS)
    const fault = deck.pop()
    if (fault === undefined) return []
    return [
      { kind: 'fault', server, fault, atMs },
      { kind: 'heal', server, atMs: untilMs },
    ]
  })
}

function planToggles(random: Random, tempo: Tempo, options: ScheduleOptions): Action[] {
  const { servers, tenants, loadMs } = options
  // Each of another server and tenant, so that no two of them meet.
  const targets = random.shuffle(
    servers.flatMap((server) => tenants.map((tenant) => ({ server, tenant }))),
  )
  const zones = toggleZones(tempo, loadMs)
  return targets.slice(0, tempo.toggles).flatMap((target): Action[] => {
    const atMs = random.whole(...random.pick(zones))
    const toggle = { kind: 'toggle', ...target } as const
    return [
      { ...toggle, enabled: false, atMs },
      { ...toggle, enabled: true, atMs: atMs + tempo.offMs },
    ]
  })
}

/** When a server may be turned off: no write meets the restart, where it would be lost. */
function toggleZones(tempo: Tempo, loadMs: number): (readonly [number, number])[] {
  const { quietStartMs, quietEndMs, offMs } = tempo
  const middleMs = loadMs / 2
  const zones: [number, number][] = [
    [quietStartMs, middleMs - RESTART_CLEARANCE_MS - offMs],
    [middleMs + RESTART_CLEARANCE_MS - offMs, middleMs - RESTART_CLEARANCE_MS],
    [middleMs + RESTART_CLEARANCE_MS, loadMs - quietEndMs - offMs],
  ]
  return zones.filter(([from, to]) => from <= to)
}

const RESTART_CLEARANCE_MS = 1_500

/** Keys rotate once in each half, the gateway's own with its restart. */
function planKeys(random: Random, { loadMs }: ScheduleOptions): Action[] {
  const rotate = (from: number, to: number): Action => ({
    kind: 'rotate_idp_key',
    atMs: random.whole(from * loadMs, to * loadMs),
  })
  return [
    rotate(0.2, 0.4),
    { kind: 'restart', how: random.chance(0.5) ? 'kill' : 'stop', atMs: Math.round(loadMs / 2) },
    rotate(0.6, 0.8),
  ]
}
