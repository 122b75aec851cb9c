import { type CallContext, type EndpointId, setBounded } from '../../core/index.ts'
import { type Events, emitFault } from '../../observability/index.ts'
import type { ServerRecord } from '../../registry/index.ts'

/** What a call or a handshake got, as far as it says something of what the server speaks. */
interface Refused {
  readonly server: Pick<ServerRecord, 'upstream'>
  readonly method: 'POST' | 'GET'
  readonly isInSession: boolean
  readonly status: number
  /** It was a handshake of the legacy era, made elsewhere. */
  readonly isHandshake?: true
  /** What it said speaks of another era (`era-doubt.ts`). */
  readonly isOfAnotherEra?: true
}

/** Has an endpoint probed soon when a call was refused as if it spoke another transport or era. */
export type RecheckTransport = (ctx: CallContext, endpoint: EndpointId, refused: Refused) => void

export interface RecheckTransportDeps {
  readonly events: Events
  /** Has it asked from the beginning what it speaks and offers. Returns at once. */
  readonly probeSoon: (endpoint: EndpointId) => Promise<void>
}

/** For one endpoint and isolate: a server may refuse a client again and again. */
const RECHECK_MS = 30_000
/** Endpoints remembered; oldest out. */
const MAX_REMEMBERED = 1_000

/** @see RecheckTransport */
export function createRecheckTransport(deps: RecheckTransportDeps): RecheckTransport {
  const checked = new Map<EndpointId, number>()
  return (ctx, endpoint, refused) => {
    if (!speaksOfAnother(refused)) return
    const at = checked.get(endpoint)
    if (at !== undefined && ctx.clock.now() - at < RECHECK_MS) return
    setBounded(checked, endpoint, ctx.clock.now(), MAX_REMEMBERED)
    const probing = deps
      .probeSoon(endpoint)
      .catch((thrown: unknown) => emitFault(deps.events, ctx, 'recheck-transport', thrown))
    ctx.waitUntil(probing)
  }
}

/**
 * 405 to a message, always. 404 where nothing else can be meant by it: not a session that is gone,
 * and not a method that a modern server does not know. 400 is what clients get for their mistakes,
 * unless it says more; but a handshake is refused with it by servers of the modern era.
 */
function speaksOfAnother(refused: Refused): boolean {
  const { server, method, isInSession, status, isHandshake, isOfAnotherEra } = refused
  if (method !== 'POST') return false
  if (status === 405 || isOfAnotherEra) return true
  const { eras } = server.upstream
  if (status === 400) return isHandshake === true && eras !== 'modern'
  const isLegacy = eras === 'legacy' || eras === 'unknown'
  return status === 404 && isLegacy && !isInSession
}
