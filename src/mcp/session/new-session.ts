import type { CallContext } from '../../core/index.ts'
import type { Outgoing } from '../relay/outgoing.ts'
import type { UpstreamAnswer, Upstreams } from '../upstream/send.ts'
import { helloOf, type Sessions } from './sessions.ts'

/** The upstream session that an answer to `initialize` names, on its way to the client. */
export interface NewSession {
  /**
   * The sealed session id; undefined where none was opened. Rejects with `upstream_failed` for one
   * that could not be opened again.
   */
  headers(): Promise<Record<string, string>> | undefined
  /** The client gets no answer, and so will never use it: it is closed, behind the response. */
  abandon(): void
}

const NONE: NewSession = { headers: () => undefined, abandon: () => undefined }

/** @see NewSession */
export function newSession(
  ctx: CallContext,
  deps: { readonly sessions: Sessions; readonly upstreams: Upstreams },
  { inbound, target }: Outgoing,
  { endpoint, response }: UpstreamAnswer,
): NewSession {
  if (inbound.method !== 'initialize' || !response.ok) return NONE
  const upstreamId = response.headers.get('mcp-session-id')
  if (upstreamId === null) return NONE
  const { server, actor } = target
  let isAbandoned = false
  return {
    async headers() {
      const hello = helloOf(inbound.params)
      const sealed = await deps.sessions.seal(actor.principal, server.path, {
        key: ctx.random.uuid(),
        server: server.id,
        endpoint: endpoint.id,
        upstreamId,
        ...(hello ? { hello } : {}),
      })
      return { 'mcp-session-id': sealed }
    },

    abandon() {
      if (isAbandoned) return
      isAbandoned = true
      ctx.waitUntil(deps.upstreams.close(server, endpoint.id, upstreamId))
    },
  }
}
