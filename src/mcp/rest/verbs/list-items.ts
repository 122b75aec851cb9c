import { type CallContext, GatewayError } from '../../../core/index.ts'
import type { Actor } from '../../../policy/index.ts'
import { CATALOG_LISTS, type CatalogList } from '../../../registry/index.ts'
import { MAX_ANSWER_BYTES } from '../../ask/ask.ts'
import { upstreamError } from '../../ask/ask-session.ts'
import { type Entered, enter, inRestWords, type RestVerbDeps, requireMethod } from '../enter.ts'

/** More than this is a server that goes round in circles. */
const MAX_PAGES = 20

/** JSON-RPC: what a server says that has nothing of the kind. */
const METHOD_NOT_FOUND = -32601

/**
 * The lists of a session's server, every page, as the server gives them now. One that it does not
 * serve, or not to this actor, is empty. Throws `session_not_found`, `insufficient_scope`, and what
 * the server failed by.
 */
export function createListItems(deps: RestVerbDeps) {
  async function everyPage(
    ctx: CallContext,
    actor: Actor,
    { server, leg }: Entered,
    { method, member }: CatalogList,
  ): Promise<unknown[]> {
    const items: unknown[] = []
    let cursor: string | undefined
    let budget = MAX_ANSWER_BYTES
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const params = cursor === undefined ? {} : { cursor }
      const request = { method, params }
      const answer = await deps.ask.request(ctx, actor.principal, server, leg, request, budget)
      if (answer.kind === 'error') throw upstreamError(server, answer)
      const part = answer.result[member]
      if (!Array.isArray(part)) throw malformed(server.path, `${method} without "${member}"`)
      items.push(...part)
      const { nextCursor } = answer.result
      if (typeof nextCursor !== 'string') return items
      cursor = nextCursor
      budget -= answer.chars
    }
    throw malformed(server.path, `${method} with more than ${MAX_PAGES} pages`)
  }

  async function list(
    ctx: CallContext,
    actor: Actor,
    entered: Entered,
    what: CatalogList,
  ): Promise<unknown[]> {
    try {
      requireMethod(actor, entered.server, what.method)
      return await everyPage(ctx, actor, entered, what)
    } catch (thrown) {
      if (isNotServed(thrown)) return []
      throw inRestWords(thrown)
    }
  }

  return {
    async listTools(ctx: CallContext, actor: Actor, sessionId: string) {
      const entered = await enter(ctx, deps, actor, sessionId)
      const tools = await list(ctx, actor, entered, CATALOG_LISTS.tool)
      return { server_name: entered.server.path, tools }
    },
    async listPrompts(ctx: CallContext, actor: Actor, sessionId: string) {
      const entered = await enter(ctx, deps, actor, sessionId)
      const prompts = await list(ctx, actor, entered, CATALOG_LISTS.prompt)
      return { server_name: entered.server.path, prompts }
    },
    async listResources(ctx: CallContext, actor: Actor, sessionId: string) {
      const entered = await enter(ctx, deps, actor, sessionId)
      const resources = await list(ctx, actor, entered, CATALOG_LISTS.resource)
      const templates = await list(ctx, actor, entered, CATALOG_LISTS.template)
      return { server_name: entered.server.path, resources, resource_templates: templates }
    },
  }
}

/** Refused by the policy and unknown to the server look alike. */
function isNotServed(thrown: unknown): boolean {
  if (!(thrown instanceof GatewayError)) return false
  const { upstream_error: upstream } = thrown.detail.data ?? {}
  const isUnknown =
    typeof upstream === 'object' &&
    upstream !== null &&
    'code' in upstream &&
    upstream.code === METHOD_NOT_FOUND
  return thrown.code === 'method_not_found' || isUnknown
}

function malformed(path: string, what: string): GatewayError {
  return new GatewayError('upstream_failed', `The server "${path}" answered ${what}.`)
}
