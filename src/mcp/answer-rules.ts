import { SUBSCRIPTION_ID_META_KEY } from '@modelcontextprotocol/server'
import type { CallContext } from '../core/index.ts'
import type { InboundRequest } from './eras.ts'
import { methodFacts } from './messages.ts'
import type { JsonRule } from './wire/json-editor.ts'
import type { StreamEnd } from './wire/pump.ts'
import type { RawId } from './wire/reply.ts'

/** What the answer to one request must become on its way to the client. */
export interface AnswerPlan {
  readonly inbound: InboundRequest
  /** The client's id, raw. */
  readonly clientId: RawId
  /** Our id towards the upstream, raw. */
  readonly upstreamId: RawId
  readonly server: string
  readonly timeoutMs: number
  /** Which tools `tools/list` may show. */
  readonly showsTool: 'all' | ((name: string) => boolean)
  /** Headers for the client, such as a sealed session id. */
  readonly headers?: Readonly<Record<string, string>>
  readonly onEnd: (end: StreamEnd) => void
}

/**
 * What is changed in the messages of an answer; every other byte passes. `id` maps the raw id of
 * each message. What the rules see on the way, the event line tells.
 */
export function rulesFor(
  ctx: CallContext,
  plan: AnswerPlan,
  id: (raw: string) => string,
): JsonRule {
  const { showsTool } = plan
  const note = (outcome: 'rpc_error' | 'tool_error', applies: (raw: string) => boolean) => ({
    replace: (raw: string) => {
      if (applies(raw)) ctx.facts.outcome = outcome
      return raw
    },
  })
  const { method } = plan.inbound
  const filter: Readonly<Record<string, JsonRule>> =
    method === 'tools/list' && showsTool !== 'all'
      ? { tools: { keepElement: (raw) => showsTool(toolName(raw)) } }
      : {}
  // Everything here is behind our authorization: what is public upstream is not public here.
  const cache: Readonly<Record<string, JsonRule>> = methodFacts(method).isCacheable
    ? { cacheScope: { replace: () => '"private"' } }
    : {}
  const subscription = subscriptionRule(plan)
  return {
    members: {
      id: { replace: id },
      params: subscription,
      error: note('rpc_error', () => true),
      result: {
        members: {
          isError: note('tool_error', (raw) => raw === 'true'),
          ...subscription.members,
          ...filter,
          ...cache,
        },
      },
    },
  }
}

/**
 * Every message of a listen stream names the request that opened it, so the client's id stands
 * there too. Source: MCP 2026-07-28, subscriptions/listen.
 */
function subscriptionRule({ inbound, upstreamId, clientId }: AnswerPlan): JsonRule {
  if (inbound.method !== 'subscriptions/listen') return {}
  const restore = { replace: (raw: string) => (raw === upstreamId ? clientId : raw) }
  return { members: { _meta: { members: { [SUBSCRIPTION_ID_META_KEY]: restore } } } }
}

function toolName(raw: string): string {
  try {
    const tool: unknown = JSON.parse(raw)
    const name = typeof tool === 'object' && tool !== null && 'name' in tool ? tool.name : ''
    return typeof name === 'string' ? name : ''
  } catch {
    // Not a tool that anyone can be allowed: it is left out.
    return ''
  }
}
