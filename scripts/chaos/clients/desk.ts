import type { Random } from '../random.ts'
import type { CallRecord, Trespass } from '../records.ts'

/** Who a client is, and where it writes down what happened to it. */
export interface Desk {
  /** Unique in the run. */
  readonly client: string
  readonly era: 'modern' | 'legacy'
  readonly tenant: string
  /** Named by everything that belongs to this principal, and to nobody else. */
  readonly canary: string
  readonly random: Random
  /** Origins of the gateway's isolates. */
  readonly urls: readonly string[]
  /** The token of now. */
  token(): string
  record(call: CallRecord): void
  recordTrespass(trespass: Trespass): void
  /** What clients of the legacy era know of each other's sessions: more than they may. */
  readonly sessions: SessionBoard
}

/** A session that its client holds. */
export interface HeldSession {
  readonly canary: string
  /** Of the endpoint, such as `/mcp`. */
  readonly path: string
  readonly id: string
}

export interface SessionBoard {
  hold(client: string, session: HeldSession): void
  drop(client: string, path: string): void
  /** One of another principal. */
  borrow(random: Random, canary: string): HeldSession | undefined
}

/** @see SessionBoard */
export function createSessionBoard(): SessionBoard {
  const held = new Map<string, HeldSession>()
  const keyOf = (client: string, path: string) => `${client} ${path}`
  return {
    hold: (client, session) => void held.set(keyOf(client, session.path), session),
    drop: (client, path) => void held.delete(keyOf(client, path)),
    borrow(random, canary) {
      const others = [...held.values()].filter((session) => session.canary !== canary)
      return others.length === 0 ? undefined : random.pick(others)
    },
  }
}

/** The name of a server's tool at an endpoint, and the endpoint's path. */
export function placeOf(
  at: 'server' | 'shared',
  server: string,
): { readonly path: string; readonly nameOf: (tool: string) => string } {
  return at === 'shared'
    ? { path: '/mcp', nameOf: (tool) => `${server}__${tool}` }
    : { path: `/${server}/mcp`, nameOf: (tool) => tool }
}
