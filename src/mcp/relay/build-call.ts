import type { ServerRecord } from '../../registry/index.ts'
import type { CallDeadline } from '../../resilience/index.ts'
import type { InboundRequest } from '../eras.ts'
import { methodFacts } from '../messages.ts'
import { modernHeaders, sessionHeaders } from '../upstream/headers.ts'
import type { UpstreamCall } from '../upstream/send.ts'
import { replaceMember } from '../wire/edit-members.ts'
import type { HeaderParam } from '../wire/param-headers.ts'
import type { RawId } from '../wire/reply.ts'
import { replaceSpan } from '../wire/scan-request.ts'
import { balanceKey, type KeyParts } from './balance-key.ts'
import type { Outgoing } from './outgoing.ts'

/** Builds the upstream call for the session id that is current when it is sent. */
export type BuildCall = (sessionId?: string) => UpstreamCall

/** What a call is built of: the message is in its server's era. */
export type Sendable = Pick<Outgoing, 'inbound'> & KeyParts

/** What a call is besides its message. */
export interface Building {
  /** Of a multi round-trip request, as its server gave it. */
  readonly state?: string | undefined
  /** Only for who reads the answer's body under the deadline, and so ends it. */
  readonly keepsDeadline?: true
  /** One for all rounds of a call; default: what its server names, from its sending on. */
  readonly deadline?: CallDeadline | undefined
}

/**
 * A request as its server must see it: with our id, its own request state, and headers built from
 * nothing.
 */
export function buildCall(
  sendable: Sendable,
  upstreamId: RawId,
  building: Building = {},
): BuildCall {
  const { inbound, headers, target, session } = sendable
  const { server } = target
  const tool = inbound.method === 'tools/call' ? server.tools.get(inbound.name ?? '') : undefined
  const body = bodyOf(inbound, upstreamId, building.state)
  // One for all sendings: a call may be sent again in another session.
  const deadline = building.deadline ?? callDeadline(server, inbound)
  const isSafeTool = server.trustAnnotations && (tool?.readOnly || tool?.idempotent) === true

  return (sessionId) => {
    const hop = { custom: server.headers, version: inbound.version, sessionId }
    return {
      server,
      method: 'POST',
      headers:
        inbound.era === 'modern'
          ? modernHeaders(hop, inbound, headers, headerParams(sendable))
          : sessionHeaders(hop),
      body,
      canRetry: methodFacts(inbound.method).isSafe || isSafeTool,
      isJudged: true,
      keepsDeadline: building.keepsDeadline,
      deadline,
      pinned: session?.endpoint,
      key: session ? undefined : balanceKey(sendable),
    }
  }
}

/** The arguments of a call that its server wants in headers as well. */
export function headerParams({
  inbound,
  target,
}: Pick<Outgoing, 'inbound' | 'target'>): readonly HeaderParam[] {
  if (inbound.method !== 'tools/call') return []
  return target.server.tools.get(inbound.name ?? '')?.headerParams ?? []
}

/** How long a call may take in all; undefined where the server names nothing. */
export function callDeadline(
  { resilience: { deadlineMs, toolDeadlinesMs } }: ServerRecord,
  { method, name }: Pick<InboundRequest, 'method' | 'name'>,
): CallDeadline | undefined {
  const isNamed =
    method === 'tools/call' &&
    toolDeadlinesMs !== undefined &&
    name !== undefined &&
    Object.hasOwn(toolDeadlinesMs, name)
  const ms = isNamed ? toolDeadlinesMs[name] : deadlineMs
  return ms === undefined ? undefined : { ms }
}

function bodyOf(
  { text, id }: InboundRequest,
  upstreamId: RawId,
  state: string | undefined,
): string {
  const withOurId = replaceSpan(text, id, upstreamId)
  if (state === undefined) return withOurId
  return replaceMember(withOurId, ['params', 'requestState'], JSON.stringify(state))
}
