import { methodFacts } from '../messages.ts'
import { addModernHeaders, hopTwoHeaders } from '../upstream/headers.ts'
import type { UpstreamCall } from '../upstream/send.ts'
import { checkParamHeaders } from '../wire/param-headers.ts'
import { replaceMember } from '../wire/replace-member.ts'
import type { RawId } from '../wire/reply.ts'
import { replaceSpan } from '../wire/scan-request.ts'
import type { Outgoing } from './outgoing.ts'
import type { RequestStates } from './request-states.ts'
import { stateOf } from './seal-answer.ts'

/** Builds the upstream call for the session id that is current when it is sent. */
export type BuildCall = (sessionId?: string) => UpstreamCall

/**
 * A request as its server must see it: with our id, its own request state, and headers built from
 * nothing. Throws `header_mismatch`, and `invalid_params` for a request state that is not its own.
 */
export async function buildCall(
  requestStates: RequestStates,
  outgoing: Outgoing,
  upstreamId: RawId,
): Promise<BuildCall> {
  const { inbound, headers, target, session } = outgoing
  const { server } = target
  const tool = inbound.method === 'tools/call' ? server.tools.get(inbound.name ?? '') : undefined
  const headerParams = tool?.headerParams ?? []
  if (inbound.era === 'modern') {
    checkParamHeaders(headers, headerParams, inbound.params['arguments'])
  }
  const body = await bodyOf(requestStates, outgoing, upstreamId)
  const isSafeTool = server.trustAnnotations && (tool?.readOnly || tool?.idempotent) === true

  return (sessionId) => {
    const hop = hopTwoHeaders({
      custom: server.headers,
      ...(inbound.version === undefined ? {} : { version: inbound.version }),
      ...(sessionId === undefined ? {} : { sessionId }),
    })
    if (inbound.era === 'modern') addModernHeaders(hop, inbound, headers, headerParams)
    return {
      server,
      method: 'POST',
      headers: hop,
      body,
      canRetry: methodFacts(inbound.method).isSafe || isSafeTool,
      isJudged: true,
      ...(session ? { pinned: session.endpoint } : {}),
    }
  }
}

async function bodyOf(
  requestStates: RequestStates,
  outgoing: Outgoing,
  upstreamId: RawId,
): Promise<string> {
  const { inbound } = outgoing
  const withOurId = replaceSpan(inbound.text, inbound.id, upstreamId)
  const sealedState = inbound.era === 'modern' ? inbound.params['requestState'] : undefined
  if (sealedState === undefined) return withOurId
  const state = await requestStates.open(stateOf(outgoing), sealedState)
  return replaceMember(withOurId, ['params', 'requestState'], JSON.stringify(state))
}
