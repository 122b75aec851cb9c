import { listOf } from '../list-changes.ts'
import { isLogged } from '../log-levels.ts'
import type { Params } from './message.ts'
import type { Sink } from './outlet.ts'

/** One client's session on a connection. */
export interface Member {
  /** Its GET stream, while one is open. */
  readonly stream: Sink | undefined
  /** Where clients share a connection: what this one asked to hear of. */
  readonly level: string | undefined
  readonly uris: ReadonlySet<string>
}

/** Who is on a connection. */
export interface Hearers {
  /** Whether clients share it. A server's questions on such a connection are for none of them. */
  readonly isShared: boolean
  members(): readonly Member[]
}

/** A request that runs, as far as it hears what its server says. */
export interface RunningCall {
  readonly member: Member | undefined
  readonly sink: Sink
}

/** What a server says that names neither a request nor a token. */
export type Unaddressed =
  | { readonly kind: 'question' }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Params }

/**
 * Whom it is for. HTTP+SSE and WebSocket do not say; Streamable HTTP has to: what speaks of a
 * request goes where the request runs, to the youngest when there are several (MCP 2025-11-25,
 * Sending messages to the server), and the rest to the streams opened by GET. Where clients share a
 * connection, what may be one's own business alone is told only when there is no other.
 */
export function route(
  hearers: Hearers,
  running: readonly RunningCall[],
  said: Unaddressed,
): readonly Sink[] {
  const members = hearers.members()
  if (said.kind === 'question') {
    return hearers.isShared ? [] : nearest(members, running)
  }
  const { method, params } = said
  if (listOf(method)) return streamsOf(members)
  if (method === 'notifications/resources/updated') {
    const { uri } = params
    const isFor = ({ uris }: Member): boolean =>
      !hearers.isShared || (uri !== undefined && uris.has(uri))
    return streamsOf(members.filter(isFor))
  }
  const concerned = concernedBy(members, running)
  if (concerned.length !== 1) return []
  const isHeard = concerned.every(({ level }) => !hearers.isShared || isWanted(params.level, level))
  return isHeard ? nearest(concerned, running) : []
}

/** Whose requests run; when none does, everybody. */
function concernedBy(members: readonly Member[], running: readonly RunningCall[]) {
  const busy = new Set(running.flatMap(({ member }) => member ?? []))
  return busy.size > 0 ? [...busy] : members
}

/** The youngest request of theirs, or else their stream. */
function nearest(members: readonly Member[], running: readonly RunningCall[]): readonly Sink[] {
  const own = running.filter(({ member }) => member && members.includes(member)).at(-1)
  return own ? [own.sink] : streamsOf(members).slice(0, 1)
}

function streamsOf(members: readonly Member[]): readonly Sink[] {
  return members.flatMap(({ stream }) => stream ?? [])
}

/** What has no level is no log message, and who named none hears all. */
function isWanted(level: string | undefined, wanted: string | undefined): boolean {
  return level === undefined || wanted === undefined || isLogged(level, wanted)
}
