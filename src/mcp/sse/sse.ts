import { type CallContext, GatewayError, type Principal, type Sealer } from '../../core/index.ts'
import { type BodyBounds, requestText } from '../../http/index.ts'
import { type Limits, requireAdmission } from '../../limits/index.ts'
import type { Events } from '../../observability/index.ts'
import type { Snapshots } from '../../registry/index.ts'
import { unsupportedVersion } from '../eras.ts'
import type { HttpVerb } from '../http-verb.ts'
import { LEGACY_VERSIONS } from '../messages.ts'
import type { Places } from '../notices/index.ts'
import { createRefusal } from '../refusal.ts'
import { arriveAgain, requireHearing } from '../relay/listening.ts'
import type { SessionStub } from '../session/session-state.ts'
import { sessionNotFound } from '../session/sessions.ts'
import { acceptedReply } from '../wire/reply.ts'
import type { StreamBounds } from '../wire/stream-bounds.ts'
import type { SseEndpoint } from './endpoint.ts'
import { readHanded } from './handed.ts'
import { channelOf, createOpenStream, MESSAGES } from './open-stream.ts'
import { piecesOf } from './pieces.ts'
import { createStreamIds } from './stream-ids.ts'

/** The two HTTP methods of MCP 2024-11-05, HTTP with SSE. Neither throws. */
export interface Sse {
  /** The stream of a client. */
  open: HttpVerb
  /** What the client says: 202 when its stream is there to be told. */
  send: HttpVerb
}

export interface SseDeps {
  readonly endpoint: SseEndpoint
  readonly snapshots: Snapshots
  readonly limits: Limits
  readonly events: Events
  readonly sealer: Sealer
  readonly clock: { now(): number }
  readonly object: (name: string) => Pick<SessionStub, 'fetch' | 'tell'>
  readonly body: BodyBounds
  readonly bounds: StreamBounds
  readonly places: Places
  /** The `WWW-Authenticate` for a 403 on the streams of a path. */
  readonly challenge: (path: string, scope: string) => string
}

/**
 * HTTP with SSE in front of the endpoints of Streamable HTTP: what a client posts, to whatever
 * isolate, is executed by the Worker that holds the client's stream, as a client of Streamable HTTP
 * would have posted it, and what comes back is written on the stream.
 */
export function createSse(deps: SseDeps): Sse {
  const ids = createStreamIds(deps)
  const refuse = createRefusal(deps)
  const openStream = createOpenStream({ ...deps, ids, maxBodyBytes: deps.body.maxBytes })

  /** Throws what refuses the caller to be there. */
  async function arrive(ctx: CallContext, principal: Principal, path: string): Promise<void> {
    const { actor, resolved } = await arriveAgain(ctx, deps.snapshots, principal, path)
    if (resolved.kind === 'server') requireHearing({ actor, server: resolved.server })
  }

  return {
    async open(ctx, principal, path, { headers }) {
      Object.assign(ctx.facts, { server: path, era: 'legacy' })
      try {
        // Before the server is looked for: guessing names must not be free.
        const { limits } = await deps.snapshots.tenant(ctx, principal.tenant)
        await requireAdmission(ctx, deps.limits, principal, limits)
        await arrive(ctx, principal, path)
        const eventId = headers.get('last-event-id')
        const greeted =
          eventId === null ? undefined : await ids.openGreeted(principal, path, eventId)
        const onOver = await deps.places.take(ctx, principal)
        return await openStream(ctx, {
          ...{ principal, path, onOver },
          arrive: () => arrive(ctx, principal, path),
          ...(greeted ? { greeted } : {}),
        })
      } catch (thrown) {
        return refuse(ctx, { path }, thrown)
      }
    },

    async send(ctx, principal, path, request) {
      Object.assign(ctx.facts, { server: path, era: 'legacy' })
      const { url, headers } = request
      try {
        const sessionId = new URL(url).searchParams.get('sessionId')
        if (sessionId === null) throw noSessionId()
        // A client must learn that its stream is gone before anything else fails.
        const key = await ids.open(principal, path, sessionId)
        requireLegacy(headers.get('mcp-protocol-version'))
        const text = await requestText(request, deps.body)
        const handed = readHanded(ctx, principal, text)
        const { limits } = await deps.snapshots.tenant(ctx, principal.tenant)
        for (let spent = 0; spent < handed.count; spent += 1) {
          await requireAdmission(ctx, deps.limits, principal, limits)
        }
        const object = deps.object(channelOf(key))
        for (const piece of piecesOf(ctx.random.uuid(), JSON.stringify(handed))) {
          if (!(await object.tell(MESSAGES, piece))) throw sessionNotFound()
        }
        return acceptedReply()
      } catch (thrown) {
        return refuse(ctx, { path }, thrown)
      }
    },
  }
}

/** Newer clients announce what they agreed upon here too; the modern era has no such streams. */
function requireLegacy(version: string | null): void {
  if (version === null || LEGACY_VERSIONS.some((known) => known === version.trim())) return
  throw unsupportedVersion(version, LEGACY_VERSIONS)
}

function noSessionId(): GatewayError {
  return new GatewayError('session_required', 'The URL names no sessionId.', {
    fix: 'Open a stream by GET, and post to the URL of its first event.',
  })
}
