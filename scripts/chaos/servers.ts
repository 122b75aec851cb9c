/** One of the six servers behind the gateway. */
export interface ChaosServer {
  readonly name: string
  readonly speaks: 'modern' | 'legacy' | 'dual'
  /** Whether every answer is a stream of events, and not only those of `stream`. */
  readonly streams: boolean
  /** Never touched: what happens to the others must not show here. */
  readonly isSteady: boolean
}

const server = (
  name: string,
  speaks: ChaosServer['speaks'],
  more: Partial<ChaosServer> = {},
): ChaosServer => ({ name, speaks, streams: false, isSteady: false, ...more })

/** Two of each era, one of both, and one that streams; two of them stay well. */
export const SERVERS: readonly ChaosServer[] = [
  server('modern-steady', 'modern', { isSteady: true }),
  server('modern-shaky', 'modern'),
  server('legacy-steady', 'legacy', { isSteady: true }),
  server('legacy-shaky', 'legacy'),
  server('dual-shaky', 'dual'),
  server('stream-shaky', 'modern', { streams: true }),
]

export const SHAKY: readonly string[] = SERVERS.filter(({ isSteady }) => !isSteady).map(
  ({ name }) => name,
)
export const STEADY: readonly string[] = SERVERS.filter(({ isSteady }) => isSteady).map(
  ({ name }) => name,
)
