import type { ErrorCode, RequestFacts } from '../core/index.ts'

/** Something that happened and that an operator may want to count or read. One arm per kind. */
export type GatewayEvent =
  | ({
      readonly type: 'request'
      readonly requestId: string
      readonly httpMethod: string
      readonly status: number
      /** Until the last byte of the answer. */
      readonly durationMs: number
    } & RequestFacts)
  | {
      readonly type: 'fault'
      readonly requestId: string
      readonly where: string
      readonly error: string
    }
  | {
      readonly type: 'stale_policy'
      readonly requestId: string
      readonly tenant: string
      readonly ageMs: number
    }
  | { readonly type: 'limiter_unavailable'; readonly requestId: string; readonly tenant: string }
  | { readonly type: 'address_limited'; readonly refused: number }
  | { readonly type: 'breaker_unavailable'; readonly requestId: string; readonly endpoint: string }
  | {
      /** Once per change, by the isolate whose report made it; by each while the object is away. */
      readonly type: 'breaker_changed'
      readonly requestId: string
      /** Absent where a probe of the endpoint's health made it, and no call came before. */
      readonly tenant?: string
      readonly server?: string
      readonly endpoint: string
      readonly phase: 'closed' | 'open' | 'half_open'
    }
  | { readonly type: 'bootstrap_admin'; readonly requestId: string; readonly principal: string }
  | { readonly type: 'session_reestablished'; readonly requestId: string; readonly server: string }
  | {
      readonly type: 'health_changed'
      readonly tenant: string
      readonly server: string
      readonly endpoint: string
      readonly health: 'healthy' | 'unhealthy'
      readonly reason: string
    }
  | {
      readonly type: 'list_incomplete'
      readonly requestId: string
      readonly tenant: string
      /** Path of the shared endpoint. */
      readonly endpoint: string
      readonly method: string
      /** Servers whose part is missing or may be out of date. */
      readonly count: number
      /** The first of them, each with its reason. */
      readonly servers: readonly string[]
    }
  | { readonly type: 'catalog_changed'; readonly tenant: string; readonly server: string }
  | {
      readonly type: 'catalog_refresh_failed'
      readonly tenant: string
      readonly server: string
      readonly reason: string
    }
  | { readonly type: 'health_round'; readonly endpoints: number; readonly objects: number }
  | { readonly type: 'key_refresh_failed'; readonly issuer: string; readonly error: ErrorCode }

/** Writes events. Never throws, never waits: what is done to an event afterwards is not written. */
export interface Events {
  emit(event: GatewayEvent): void
}

/** One JSON line per event, as Workers Logs and any collector read it. */
export function createEvents(writeLine: (line: string) => void, now: () => number): Events {
  const timestamp = createTimestamp()
  return {
    emit(event) {
      // The time is put in front as text: a copy of the event with one more member costs as much
      // as writing it.
      writeLine(`{"time":"${timestamp(now())}",${JSON.stringify(event).slice(1)}`)
    },
  }
}

/** `Date.toISOString`, which takes an eighth of what writing an event takes, once a second. */
function createTimestamp(): (ms: number) => string {
  let second = Number.NaN
  let prefix = ''
  return (ms) => {
    const rest = ms % 1000
    if (ms - rest !== second) {
      second = ms - rest
      prefix = new Date(second).toISOString().slice(0, -'000Z'.length)
    }
    return `${prefix}${String(1000 + Math.trunc(rest)).slice(1)}Z`
  }
}

/** Reports what went wrong out of any caller's sight. */
export function emitFault(
  events: Events,
  { requestId }: { readonly requestId: string },
  where: string,
  thrown: unknown,
): void {
  events.emit({ type: 'fault', requestId, where, error: describeFault(thrown) })
}

/** A fault's text for an event: the error and its causes, without stacks. */
function describeFault(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'a value that is not an Error was thrown'
  const cause = thrown.cause === undefined ? '' : ` <- ${describeFault(thrown.cause)}`
  return `${thrown.name}: ${thrown.message.slice(0, 300)}${cause}`
}
