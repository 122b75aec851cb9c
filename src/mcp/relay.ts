import type { CallContext, Principal } from '../core/index.ts'
import type { Limits } from '../limits/index.ts'
import type { Snapshots } from '../registry/index.ts'
import { crosses, type ServeBridged } from './bridge/index.ts'
import { type Inbound, streamVersion } from './eras.ts'
import { isListen, type Notices } from './notices/index.ts'
import { admitListening, admitTarget } from './relay/admit-target.ts'
import { arrive } from './relay/arrive.ts'
import type { OpenClientStream } from './relay/client-stream.ts'
import { LISTENING, requireHearing } from './relay/listening.ts'
import type { Outgoing } from './relay/outgoing.ts'
import type { OneWay } from './relay/relay-message.ts'
import type { SettleEra } from './relay/settle-era.ts'
import { authorise } from './relay/target.ts'
import type { OpeningStreams } from './session/opening-streams.ts'
import { requireSession } from './session/session-rules.ts'
import { mirrored, type Sessions, sessionOf, shared } from './session/sessions.ts'
import type { Shared } from './shared/index.ts'

/**
 * The relay: what authenticated clients send, and what comes back. Read it from top to bottom: each
 * line is a station, and the order is part of the contract (DESIGN.md, The path of a call). Before
 * it stand `post.ts` and `get.ts`, which read requests and render errors.
 */
export interface Relay {
  /** One message in, its answer out. Throws what refuses it. */
  message(
    ctx: CallContext,
    principal: Principal,
    path: string,
    headers: Headers,
    inbound: Inbound,
  ): Promise<Response>
  /** The stream that a legacy client opens by GET. Throws what refuses it. */
  stream(ctx: CallContext, principal: Principal, path: string, headers: Headers): Promise<Response>
}

export interface RelayDeps {
  readonly snapshots: Snapshots
  readonly limits: Limits
  readonly sessions: Sessions
  readonly shared: Shared
  readonly settleEra: SettleEra
  readonly bridged: ServeBridged
  readonly notices: Notices
  readonly opening: OpeningStreams
  readonly relayRequest: (ctx: CallContext, outgoing: Outgoing) => Promise<Response>
  readonly relayOneWay: (ctx: CallContext, message: OneWay) => Promise<Response>
  readonly clientStream: OpenClientStream
}

/** @see Relay */
export function createRelay(deps: RelayDeps): Relay {
  return {
    async message(ctx, principal, path, headers, inbound) {
      // The session comes first: a client must learn that it is gone before anything else fails.
      const isLegacy = inbound.era === 'legacy'
      const opened = isLegacy ? sessionOf(ctx, deps.sessions, principal, path, headers) : undefined
      const session = opened instanceof Promise ? await opened : opened
      const arriving = arrive(ctx, deps, principal, path)
      const arrival = arriving instanceof Promise ? await arriving : arriving
      const { actor, snapshot, resolved } = arrival
      // What the gateway answers itself, whatever era the servers behind the endpoint speak.
      if (isListen(inbound)) {
        await admitListening(ctx, deps, arrival, inbound)
        return deps.notices.listen(ctx, { principal, path, inbound })
      }
      if (resolved.kind === 'shared') {
        const { endpoint } = resolved
        const message = { endpoint, actor, snapshot, inbound, headers, ...shared(session) }
        return deps.shared.serve(ctx, message)
      }

      const seen = { actor, server: resolved.server }
      authorise(seen, inbound)
      const admitting = admitTarget(ctx, deps, snapshot, seen, inbound)
      if (admitting) await admitting
      const settling = isLegacy ? deps.settleEra(ctx, seen.server) : seen.server
      const server = settling instanceof Promise ? await settling : settling
      const target = { actor, server }
      if (crosses(server.upstream, inbound.era)) {
        return deps.bridged.message(ctx, { inbound, headers, target }, session)
      }
      const within = mirrored(session)
      requireSession(server, inbound, within.session)
      const streamSent = deps.opening.settled(within.session)
      if (streamSent) await streamSent
      // Awaited: a promise that is returned unawaited is waited for in three turns instead of one.
      return await (inbound.kind === 'request'
        ? deps.relayRequest(ctx, { inbound, headers, target, ...within })
        : deps.relayOneWay(ctx, { inbound, target, ...within }))
    },

    async stream(ctx, principal, path, headers) {
      const version = streamVersion(headers)
      const session = await sessionOf(ctx, deps.sessions, principal, path, headers)
      // Until its server is asked, what comes in its session waits.
      const onSent = deps.opening.begin(session)
      try {
        const { actor, resolved } = await arrive(ctx, deps, principal, path)
        if (resolved.kind === 'shared') {
          return await deps.shared.stream(ctx, { path, principal, headers, ...shared(session) })
        }

        const target = { actor, server: resolved.server }
        requireHearing(target)
        if (crosses(target.server.upstream, 'legacy')) {
          return await deps.bridged.stream(ctx, { target, principal, path }, session)
        }
        const within = mirrored(session)
        requireSession(target.server, LISTENING, within.session)
        const asked = { target, principal, path, headers, version, onSent }
        return await deps.clientStream(ctx, { ...asked, ...within })
      } finally {
        onSent()
      }
    },
  }
}
