import type { Random } from '../random.ts'
import { TOOL_NAMES, type ToolName } from '../upstream/tools.ts'

/** What a client does next. */
export type Step = {
  /** Which of the gateway's isolates it meets. */
  readonly isolate: number
  readonly at: 'server' | 'shared'
  readonly server: string
  readonly pauseMs: number
} & (
  | { readonly kind: 'call'; readonly tool: ToolName; readonly leaveAfterMs?: number }
  /** At the shared endpoint: everybody's tools. */
  | { readonly kind: 'list' }
  /** Only clients of the legacy era do these. */
  | { readonly kind: 'end_session' }
  | { readonly kind: 'trespass' }
)

const PAUSE_MS = [60, 340] as const
const LEAVE_MS = [5, 250] as const

/** The next step of a client: a matter of its own stream of chance alone. */
export function nextStep(
  random: Random,
  world: {
    readonly servers: readonly string[]
    readonly isolates: number
    readonly era: 'modern' | 'legacy'
  },
): Step {
  const where = {
    isolate: random.whole(0, world.isolates - 1),
    at: random.chance(0.3) ? ('shared' as const) : ('server' as const),
    server: random.pick(world.servers),
    pauseMs: Math.round(random.between(...PAUSE_MS)),
  }
  const dice = random.between(0, 1)
  const tool = random.pick(TOOL_NAMES)
  const leaveAfterMs = Math.round(random.between(...LEAVE_MS))
  if (dice < 0.04) return { ...where, at: 'shared', kind: 'list' }
  if (world.era === 'legacy' && dice < 0.06) return { ...where, kind: 'end_session' }
  if (world.era === 'legacy' && dice < 0.08) return { ...where, kind: 'trespass' }
  return { ...where, kind: 'call', tool, ...(dice > 0.97 ? { leaveAfterMs } : {}) }
}
